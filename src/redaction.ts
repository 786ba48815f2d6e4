import { bounded, MAX_LINE, printable, printableLines } from './printable.ts';

/** Replaces a redacted secret. */
export const REDACTED = '***';
/** Shorter secrets are not redacted: that would garble every message and protect nothing. */
const MIN_SECRET_LENGTH = 3;
/** Shorter parts of base64 occur in ordinary words. */
const MIN_BASE64_LENGTH = 8;
/** Passwords that cameras read anew at each connection may change; the oldest are forgotten. */
const MAX_SECRETS = 10_000;
const MAX_MESSAGE = 20_000;

/** Passwords in a path or query, which some cameras require; they may be hashes of the password. */
export const QUERY_PASSWORD = /(?<![a-z])(pass(?:word|wd)?|pwd)(=|%3D)([^&\s"'<>;]+)/gi;
/** Authorization headers of RTSP and HTTP messages, quoted in GStreamer's logs or in JSON. */
const AUTHORIZATION = /\b((?:proxy-)?authorization["']?\s*[:=]\s*)[^\r\n]+/gi;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;

/** The secrets of this process and their encodings, the oldest first. */
const known = new Map<string, readonly string[]>();
/** All encodings, the longest first; null: to be made again. */
let knownEncodings: readonly string[] | null = [];

/** From now on, `redact` removes these secrets. */
export function registerSecrets(secrets: Iterable<string | undefined>): void {
  for (const secret of secrets) {
    if (secret === undefined || secret.length < MIN_SECRET_LENGTH || known.has(secret)) continue;
    known.set(secret, encodingsOf([secret]));
    knownEncodings = null;
    if (known.size > MAX_SECRETS) known.delete(known.keys().next().value!);
  }
}

/** Removes the secrets of this process and everything that looks like credentials. */
export function redact(text: string): string {
  knownEncodings ??= longestFirst([...known.values()].flat());
  return redactCredentials(removeAll(text, knownEncodings));
}

/**
 * A message for people, which may quote other programs: printable, without secrets, bounded. Unprintable characters are
 * removed first, because they could split a secret.
 */
export function outgoingMessage(text: string): string {
  return bounded(redact(bounded(printableLines(text), MAX_MESSAGE)), MAX_MESSAGE);
}

/** The same in one line. */
export function outgoingLine(text: string, maxLength = MAX_LINE): string {
  return bounded(redact(printable(text, MAX_MESSAGE)), maxLength);
}

/** Returns the function that removes the given secrets, beside what `redact` removes without knowing any. */
export function redactor(secrets: readonly (string | undefined)[]): (text: string) => string {
  const encodings = encodingsOf(
    secrets.filter((secret): secret is string => secret !== undefined && secret.length >= MIN_SECRET_LENGTH),
  );
  return (text) => redactCredentials(removeAll(text, encodings));
}

function removeAll(text: string, encodings: readonly string[]): string {
  return encodings.reduce((redacted, encoding) => redacted.replaceAll(encoding, REDACTED), text);
}

function redactCredentials(text: string): string {
  return text
    .replace(/[^\s"'<>]+/g, redactUrl)
    .replace(AUTHORIZATION, `$1${REDACTED}`)
    .replace(QUERY_PASSWORD, `$1$2${REDACTED}`)
    .replace(PRIVATE_KEY, REDACTED);
}

/**
 * A word with `user:password@` of its URL replaced, up to the last `@`: passwords may contain an unencoded `@` or `/`. Not
 * one regular expression: its time would grow with the square of the length.
 */
function redactUrl(word: string): string {
  const scheme = word.indexOf('://');
  const at = word.lastIndexOf('@');
  return scheme < 1 || at < scheme ? word : `${word.slice(0, scheme)}://${REDACTED}${word.slice(at)}`;
}

function encodingsOf(secrets: readonly string[]): readonly string[] {
  return longestFirst(secrets.flatMap((secret) => [...plainEncodings(secret), ...base64Parts(secret)]));
}

/** An encoding may contain another one. */
function longestFirst(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort((a, b) => b.length - a.length);
}

/** Raw, percent-encoded (RFC 3986, and HTML forms), escaped in JSON, in HTML. */
function plainEncodings(secret: string): string[] {
  const wellFormed = secret.toWellFormed();
  const percent = [
    encodeURIComponent(wellFormed),
    encodeURI(wellFormed),
    new URLSearchParams([['', wellFormed]]).toString().slice(1),
  ];
  return [
    secret,
    // What `printable` leaves of it.
    printable(secret, Number.POSITIVE_INFINITY),
    ...percent,
    ...percent.map((text) => text.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())),
    JSON.stringify(secret).slice(1, -1),
    secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
  ].filter((text) => text.length >= MIN_SECRET_LENGTH);
}

/**
 * The base64 and base64url of any text that contains the secret, such as `user:secret` of Basic authentication: one part
 * for each of the three positions that the secret can have in a group of three bytes.
 */
function base64Parts(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // The first and last characters also encode bits of the neighbours.
    const from = offset === 0 ? 0 : offset + 1;
    const whole = Math.floor(((offset + bytes.length) * 8) / 6);
    const part = text.slice(from, whole);
    return part.length < MIN_BASE64_LENGTH ? [] : [part, part.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
