/** Passwords in a path or query, which some cameras require; they may be hashes of the password. */
export const QUERY_PASSWORD = /(?<![a-z])(pass(?:word|wd)?|pwd)(=|%3D)([^&\s"'<>;]+)/gi;
/** A colon that does not begin a port, followed by an unencoded `/`, `?` or `#` and an `@`. IPv6 hosts are excluded. */
const UNENCODED_PASSWORD = /^[a-z0-9+.-]+:\/\/(?!\[)[^/?#@]*:(?!\d{1,5}(?:[/?]|$))[^@]*[/?#][^@]*@/i;

/** Passwords in a URL's path or query (`password=…`), not decoded. */
export function queryPasswords(url: string): string[] {
  return [...url.matchAll(QUERY_PASSWORD)].map(([, , , password]) => password!);
}

/**
 * Returns the error of a camera URL whose password contains an unencoded `/`, `?` or `#`, which end the part of a URL
 * that may contain a password; null if there is none. Secret references (`${NAME}`) may stand for any part.
 */
export function cameraUrlIssue(url: string): string | null {
  const isInvalid = UNENCODED_PASSWORD.test(url.replace(/\$\{[^}]*\}/g, '0'));
  return isInvalid
    ? 'write / ? # in the password as %2F %3F %23, or move the password from the URL to `password`'
    : null;
}

/** Splits `user:password@` from a URL and decodes both. */
export function splitCredentials(url: string): { url: string; username?: string; password?: string } {
  const match = /^([a-z0-9+.-]+:\/\/)([^/?#]*)@(.*)$/is.exec(url);
  if (!match) return { url };
  const [, scheme, credentials, rest] = match;
  const colon = credentials!.indexOf(':');
  const username = colon < 0 ? credentials! : credentials!.slice(0, colon);
  return {
    url: `${scheme}${rest}`,
    username: decode(username),
    ...(colon < 0 ? {} : { password: decode(credentials!.slice(colon + 1)) }),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
