import type { z } from 'zod';

/** One mistake in what somebody gave: where, and what is wrong. */
export interface ConfigIssue {
  readonly path: string;
  readonly message: string;
}

/** The mistakes that a schema found; never with the values that were given. */
export function configIssues(error: z.ZodError): ConfigIssue[] {
  return error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => unknownKey(issue.path, key))
      : [{ path: showPath(issue.path), message: issue.message }],
  );
}

/** `cameras[0].url: must begin with …; …` */
export function describeIssues(error: z.ZodError): string {
  return configIssues(error)
    .map(({ path, message }) => (path ? `${path}: ${message}` : message))
    .join('; ');
}

export function showPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (shown, part) =>
      typeof part === 'number' ? `${shown}[${part}]` : shown ? `${shown}.${String(part)}` : String(part),
    '',
  );
}

function unknownKey(path: readonly PropertyKey[], key: string): ConfigIssue {
  const [name] = /^[\w.-]*/.exec(key)!;
  if (name === key) return { path: showPath([...path, key]), message: 'is not a known key' };
  // `password:secret` is a key with a secret in it.
  return {
    path: showPath([...path, `${name}…`]),
    message: 'is not a known key; a space must follow a key’s colon',
  };
}
