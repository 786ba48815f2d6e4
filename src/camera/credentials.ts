import { QUERY_PASSWORD } from '../redaction.ts';

/** Passwords in a URL's path or query (`password=…`), not decoded. */
export function queryPasswords(url: string): string[] {
  return [...url.matchAll(QUERY_PASSWORD)].map(([, , , password]) => password!);
}

/**
 * Returns the error of a camera URL whose password contains an unencoded `/`, `?` or `#`, which end the part of a URL
 * that may contain a password; null if there is none. Secret references (`${NAME}`) may stand for any part.
 */
export function cameraUrlIssue(url: string): string | null {
  return hasUnencodedPassword(url.replace(/\$\{[^}]*\}/g, '0'))
    ? 'write / ? # in the password as %2F %3F %23, or move the password from the URL to `password`'
    : null;
}

/**
 * A colon that does not begin a port, followed by an unencoded `/`, `?` or `#` and an `@`. IPv6 hosts are excluded. In
 * linear time: one regular expression for all of it would be cubic (CWE-1333).
 */
function hasUnencodedPassword(url: string): boolean {
  const [scheme] = /^[a-z0-9+.-]+:\/\/(?!\[)/i.exec(url) ?? [];
  const at = url.indexOf('@');
  if (scheme === undefined || at < 0) return false;
  const beforeAt = url.slice(scheme.length, at);
  const end = beforeAt.search(/[/?#]/);
  if (end < 0) return false;
  return [...beforeAt.slice(0, end).matchAll(/:/g)].some(
    ({ index }) => !/^\d{1,5}[/?]/.test(beforeAt.slice(index + 1, index + 7)),
  );
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

/** `scheme://`, host, and port, path and query: nothing that parsers of URLs read in different ways, and no credentials. */
const PLAIN_URL = /^([a-z0-9+.-]+:\/\/)(\[[0-9a-f:.]+\]|[a-z0-9._-]+)((?::\d{1,5})?(?:[/?][!"$-~]*)?)$/i;

/**
 * The host of a camera's URL, and the URL with another host. Null for a URL whose host another parser could read
 * differently (GStreamer takes what follows the last `@`, also after `#`), or that has none.
 */
export function hostOf(url: string): { host: string; replace: (host: string) => string } | null {
  const { url: bare } = splitCredentials(url);
  const parts = PLAIN_URL.exec(bare);
  if (!parts) return null;
  const [, scheme, host, rest] = parts;
  const credentials = url.slice(scheme!.length, url.length - bare.length + scheme!.length);
  return {
    host: host!.replace(/^\[|\]$/g, ''),
    replace: (other) => `${scheme}${credentials}${other.includes(':') ? `[${other}]` : other}${rest}`,
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
