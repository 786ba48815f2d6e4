import type { z } from 'zod';

/** What is wrong with one value of a config, and its path. */
export interface ConfigIssue {
  /** E.g. `cameras[0].url`; empty for the config as a whole. */
  readonly path: string;
  readonly message: string;
}

/** The issues that a schema found. They never quote the values, which may be secrets. */
export function configIssues(error: z.ZodError): ConfigIssue[] {
  return error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => unknownKeyIssue(issue.path, key))
      : [{ path: formatPath(issue.path), message: issue.message }],
  );
}

/** All issues on one line: `cameras[0].url: must begin with …; …`. */
export function describeIssues(error: z.ZodError): string {
  return configIssues(error)
    .map(({ path, message }) => (path ? `${path}: ${message}` : message))
    .join('; ');
}

export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part),
    '',
  );
}

function unknownKeyIssue(path: readonly PropertyKey[], key: string): ConfigIssue {
  const [name] = /^[\w.-]*/.exec(key)!;
  if (name === key) return { path: formatPath([...path, key]), message: 'is not a known key' };
  // `password:secret` without a space is a key that contains a secret.
  return {
    path: formatPath([...path, `${name}…`]),
    message: 'is not a known key; a space must follow a key’s colon',
  };
}
