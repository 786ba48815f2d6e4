/** One challenge of a WWW-Authenticate header (RFC 9110, 11.3). */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Names in lower case; quotes removed. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** A token, and the value after its `=` if it has one. */
const ITEM = /[\s,]*([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;

/** The challenges of all WWW-Authenticate headers. A token without `=` begins the next challenge. */
export function parseChallenges(values: readonly string[]): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  for (const value of values) {
    ITEM.lastIndex = 0;
    for (let item = ITEM.exec(value); item !== null; item = ITEM.exec(value)) {
      const [, name, inQuotes, plain] = item;
      const parameter = inQuotes?.replace(/\\(.)/g, '$1') ?? plain;
      if (parameter === undefined) challenges.push({ scheme: name!.toLowerCase(), parameters: {} });
      else {
        const { parameters } = challenges.at(-1) ?? {};
        if (parameters) parameters[name!.toLowerCase()] ??= parameter;
      }
    }
  }
  return challenges;
}
