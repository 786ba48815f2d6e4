/** What stands where a secret stood. */
export const HIDDEN = '***';

/** user:password before the host of any URL; passwords may hold `@` and `/` raw, so the last `@` of a word counts. */
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s"'<>]*@/gi;
/** Lines of RTSP and HTTP messages that GStreamer's logs quote. */
const AUTHORIZATION = /\b((?:proxy-)?authorization\s*[:=]\s*)[^\r\n]+/gi;

/** Passwords within a path or a query, where some makes of camera want them; they may be hashes of the real one. */
const QUERY_PASSWORD = /(?<![a-z])(pass(?:word|wd)?|pwd)(=|%3D)([^&\s"'<>;]+)/gi;
/** What `cameraUrlMistake` looks for: a colon that begins no port, and further on one of those characters and an `@`. */
const RAW_PASSWORD = /^[a-z0-9+.-]+:\/\/(?!\[)[^/?#@]*:(?!\d{1,5}(?:[/?]|$))[^@]*[/?#][^@]*@/i;

/**
 * Makes the one function through which every text from GStreamer, a camera or a child process goes before
 * anyone sees it. It removes the given secrets in every spelling in which they may turn up (raw, percent-encoded,
 * base64 as basic authentication has it), the credentials of any URL, and authorization headers.
 */
export function redactor(secrets: readonly (string | undefined)[]): (text: string) => string {
  const spellings = new Set<string>();
  for (const secret of secrets) {
    // A password of one or two letters would blank half of every message and hide nothing.
    if (secret === undefined || secret.length < 3) continue;
    for (const spelling of [
      secret,
      encodeURIComponent(secret),
      encodeURI(secret),
      JSON.stringify(secret).slice(1, -1),
    ])
      spellings.add(spelling);
  }
  const longestFirst = [...spellings].sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const spelling of longestFirst) clean = clean.replaceAll(spelling, HIDDEN);
    return clean
      .replace(URL_CREDENTIALS, `$1${HIDDEN}@`)
      .replace(AUTHORIZATION, `$1${HIDDEN}`)
      .replace(QUERY_PASSWORD, `$1$2${HIDDEN}`);
  };
}

/** The redactor of one camera: knows its password, and the one that may stand in its URL. */
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
  return redactor([camera.password, password, ...pairs.filter((pair) => pair !== 'Og==')]);
}

/** Passwords in a URL's path or query (`password=…`), as they stand there. */
export function queryPasswords(url: string): string[] {
  return [...url.matchAll(QUERY_PASSWORD)].map(([, , , password]) => password!);
}

/**
 * What is wrong with a camera's URL whose password holds `/`, `?` or `#` as they are: they end the part in which a
 * password can be. Null where nothing is; references (`${NAME}`) may stand for whatever a URL may hold.
 */
export function cameraUrlIssue(url: string): string | null {
  const mistaken = RAW_PASSWORD.test(url.replace(/\$\{[^}]*\}/g, '0'));
  return mistaken
    ? 'write / ? # of its password as %2F %3F %23, or give it apart from the URL, under password'
    : null;
}

/** Takes `user:password@` out of a URL. */
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
