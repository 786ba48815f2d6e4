import { type Document, LineCounter, type Node, parseDocument, visit, type YAMLError } from 'yaml';

/** Replaces messages of the library that quote the text. */
const MESSAGES: Partial<Record<YAMLError['code'], string>> = {
  TAG_RESOLVE_FAILED: 'Unknown tag; put quotes around values that begin with !',
  BAD_DIRECTIVE: 'Unknown directive; put quotes around values that begin with %',
  BAD_DQ_ESCAPE: 'Unknown escape sequence; write \\\\ for a backslash, or put single quotes around the value',
};

/**
 * Parses YAML. Returns the value, or one message for each syntax error with its line and column. Messages never quote
 * the text: it may be a config, and the erroneous part a password.
 */
export function parseYaml(text: string): { value: unknown; issues: readonly string[] } {
  const lines = new LineCounter();
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `at line ${line}, column ${col}`;
  };
  let document: Document;
  try {
    // prettyErrors would quote the line.
    document = parseDocument(text, { prettyErrors: false, lineCounter: lines, logLevel: 'error' });
  } catch (error) {
    // The library recurses: a text nested thousands of levels deep exhausts the stack.
    if (!(error instanceof RangeError)) throw error;
    return { value: undefined, issues: ['Nested too deeply'] };
  }
  // The library only warns about unknown tags, and reads `!word` as an empty value with a tag.
  const unknownTags = document.warnings.filter(({ code }) => code === 'TAG_RESOLVE_FAILED');
  const issues = [...document.errors, ...unknownTags].map(
    (error) => `${messageOf(error)} ${position(error.pos[0])}`,
  );
  try {
    if (issues.length === 0) issues.push(...aliasIssues(document, position));
    if (issues.length > 0) return { value: undefined, issues };
    return { value: document.toJS(), issues };
  } catch (error) {
    if (error instanceof RangeError) return { value: undefined, issues: ['Nested too deeply'] };
    // The library's limit against exponential expansion.
    return { value: undefined, issues: ['Aliases (*name) expand to too many values'] };
  }
}

function messageOf({ code, message }: YAMLError): string {
  // All other messages quote the text only after a colon that follows a word.
  return MESSAGES[code] ?? message.split(/(?<=\w): /)[0]!;
}

function aliasIssues(document: Document, position: (offset: number) => string): string[] {
  const issues: string[] = [];
  // `alias.resolve` would search the whole document for each alias.
  const anchors = new Map<string, Node>();
  visit(document, {
    Value(_, node) {
      if (node.anchor) anchors.set(node.anchor, node);
    },
    Alias(_, alias, path) {
      const anchor = anchors.get(alias.source);
      const where = position(alias.range![0]);
      if (anchor === undefined)
        issues.push(`Alias (*name) without its anchor; put quotes around values that begin with * ${where}`);
      else if (path.includes(anchor)) issues.push(`Alias (*name) inside its own anchor ${where}`);
    },
  });
  return issues;
}
