import { QUERY_PASSWORD, splitCredentials } from './credentials.ts';

/** Replaces a redacted secret. */
export const REDACTED = '***';
/** Base64 of `:`, a user name and password that are both empty. */
const NO_CREDENTIALS = 'Og==';

/** user:password before the host of any URL, up to the last `@`: passwords may contain an unencoded `@` or `/`. */
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s"'<>]*@/gi;
/** Authorization headers of RTSP and HTTP messages, quoted in GStreamer's logs. */
const AUTHORIZATION = /\b((?:proxy-)?authorization\s*[:=]\s*)[^\r\n]+/gi;

/**
 * Returns the function that redacts every text from GStreamer, a camera or a child process before it is shown. It
 * removes the given secrets in each encoding (raw, percent-encoded, JSON-escaped), the credentials and query passwords
 * of any URL, and authorization headers.
 */
export function redactor(secrets: readonly (string | undefined)[]): (text: string) => string {
  const encodings = new Set<string>();
  for (const secret of secrets) {
    // Redacting a password of one or two characters would garble every message and protect nothing.
    if (secret === undefined || secret.length < 3) continue;
    for (const encoding of [
      secret,
      encodeURIComponent(secret),
      encodeURI(secret),
      JSON.stringify(secret).slice(1, -1),
    ])
      encodings.add(encoding);
  }
  const longestFirst = [...encodings].sort((a, b) => b.length - a.length);
  return (text) => {
    let redacted = text;
    for (const encoding of longestFirst) redacted = redacted.replaceAll(encoding, REDACTED);
    return redacted
      .replace(URL_CREDENTIALS, `$1${REDACTED}@`)
      .replace(AUTHORIZATION, `$1${REDACTED}`)
      .replace(QUERY_PASSWORD, `$1$2${REDACTED}`);
  };
}

/** The redactor of one camera: its password, that of its URL, and both as base64 for basic authentication. */
export function cameraRedactor(camera: {
  url: string;
  username?: string | undefined;
  password?: string | undefined;
}): (text: string) => string {
  const { username, password } = splitCredentials(camera.url);
  const pairs = [
    [camera.username, camera.password],
    [username, password],
  ].map(([user, secret]) => Buffer.from(`${user ?? ''}:${secret ?? ''}`).toString('base64'));
  return redactor([camera.password, password, ...pairs.filter((pair) => pair !== NO_CREDENTIALS)]);
}
