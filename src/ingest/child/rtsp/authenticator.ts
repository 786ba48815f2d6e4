import { createHash, randomBytes } from 'node:crypto';
import type { CameraOptions } from '../../../camera/options.ts';
import { AustreamError } from '../../../errors.ts';
import { type Challenge, parseChallenges } from './challenge.ts';

/** Digest algorithms (RFC 7616, 3.2), the strongest first, with their names in `node:crypto`. */
const ALGORITHMS = { 'sha-512-256': 'sha512-256', 'sha-256': 'sha256', md5: 'md5' } as const;
type Algorithm = keyof typeof ALGORITHMS;

/** A challenge that this class can answer. */
type Method =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'digest'; readonly challenge: Challenge; readonly algorithm: Algorithm };

/**
 * Answers a camera's challenges (RFC 7617, RFC 7616). Digest is preferred; Basic, which sends the password itself, is
 * used only if the camera offers nothing else and `auth` allows it.
 */
export class Authenticator {
  readonly #username: string | undefined;
  readonly #password: string;
  readonly #auth: CameraOptions['auth'];
  #method: Method | null = null;
  #requests = 0;

  constructor(username: string | undefined, password: string | undefined, auth: CameraOptions['auth']) {
    this.#username = username === undefined ? undefined : latin1(username);
    this.#password = latin1(password ?? '');
    this.#auth = auth;
  }

  /** True while the password itself is sent. */
  get sendsPassword(): boolean {
    return this.#method?.scheme === 'basic';
  }

  /**
   * Chooses how to answer these values of WWW-Authenticate. False: there is nothing to answer with. Throws
   * CAMERA_UNTRUSTED if the camera demands the password itself and `auth` is `digest`.
   */
  accept(values: readonly string[]): boolean {
    if (this.#username === undefined) return false;
    const challenges = parseChallenges(values);
    const digest = strongestDigest(challenges);
    if (digest) {
      this.#method = digest;
      this.#requests = 0;
      return true;
    }
    if (!challenges.some(({ scheme }) => scheme === 'basic')) return false;
    if (this.#auth === 'digest')
      throw new AustreamError(
        'CAMERA_UNTRUSTED',
        'the camera demands the password itself (Basic authentication), which `auth: digest` does not allow',
        {
          fix: 'switch the camera to Digest authentication; if it has none, reach it by rtsps:// and remove `auth: digest`',
        },
      );
    this.#method = { scheme: 'basic' };
    return true;
  }

  /** The Authorization header of a request; null before the first challenge. */
  authorization(method: string, uri: string): string | null {
    if (this.#method === null) return null;
    if (this.#method.scheme === 'digest') return this.#digest(method, uri, this.#method);
    return `Basic ${Buffer.from(`${this.#username}:${this.#password}`, 'latin1').toString('base64')}`;
  }

  #digest(method: string, uri: string, chosen: Extract<Method, { scheme: 'digest' }>): string {
    const { realm = '', nonce = '', opaque, qop, algorithm } = chosen.challenge.parameters;
    const hash = (text: string) =>
      createHash(ALGORITHMS[chosen.algorithm]).update(text, 'latin1').digest('hex');
    const cnonce = randomBytes(8).toString('hex');
    this.#requests += 1;
    const count = this.#requests.toString(16).padStart(8, '0');
    const user = hash(`${this.#username}:${realm}:${this.#password}`);
    const secret = /-sess$/i.test(algorithm ?? '') ? hash(`${user}:${nonce}:${cnonce}`) : user;
    const protectsRequest = qop?.split(',').some((option) => option.trim().toLowerCase() === 'auth');
    const middle = protectsRequest ? `${nonce}:${count}:${cnonce}:auth` : nonce;
    return [
      `Digest username=${quoted(this.#username!)}, realm=${quoted(realm)}, nonce=${quoted(nonce)}`,
      `uri=${quoted(uri)}, response="${hash(`${secret}:${middle}:${hash(`${method}:${uri}`)}`)}"`,
      ...(algorithm === undefined ? [] : [`algorithm=${algorithm}`]),
      ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
      ...(protectsRequest ? [`qop=auth, nc=${count}, cnonce="${cnonce}"`] : []),
    ].join(', ');
  }
}

function strongestDigest(
  challenges: readonly Challenge[],
): Extract<Method, { scheme: 'digest' }> | undefined {
  const names = Object.keys(ALGORITHMS) as Algorithm[];
  const usable = challenges.flatMap((challenge) => {
    const { algorithm = 'md5', qop = 'auth' } = challenge.parameters;
    const known = names.find((name) => name === algorithm.toLowerCase().replace(/-sess$/, ''));
    // auth-int would need the body's hash; no camera demands it.
    const answerable =
      known !== undefined &&
      qop
        .toLowerCase()
        .split(/[\s,]+/)
        .includes('auth');
    return challenge.scheme === 'digest' && answerable
      ? [{ scheme: 'digest', challenge, algorithm: known } as const]
      : [];
  });
  return usable.toSorted((a, b) => names.indexOf(a.algorithm) - names.indexOf(b.algorithm))[0];
}

/** UTF-8 bytes, one per character, as the messages hold their texts. */
function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** A quoted string (RFC 9110, 5.6.4), without line breaks. */
function quoted(text: string): string {
  return `"${text.replace(/[\r\n]/g, '').replace(/["\\]/g, '\\$&')}"`;
}
