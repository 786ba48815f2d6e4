import { createHash, timingSafeEqual } from 'node:crypto';
import { child, SoapFault, textOf, type Xml } from './soap.ts';

/** Maximum difference between a request's time and the device's clock. */
const TOLERANCE_MS = 30_000;

/**
 * Checks WS-Security username tokens with password digests as devices do (Username Token Profile 1.1, 3.1):
 * digest = Base64(SHA-1(nonce + created + password)), created within the tolerance, each nonce only once.
 */
export class TokenCheck {
  readonly #user: string;
  readonly #password: string;
  /** Nonces seen, with the device time of each. */
  readonly #nonces = new Map<string, number>();

  constructor(user: string, password: string) {
    this.#user = user;
    this.#password = password;
  }

  /** Throws a SoapFault for an invalid token. `now`: the device's clock, Unix milliseconds. */
  check(security: Xml, now: number): void {
    const token = child(security, 'UsernameToken');
    const created = textOf(child(token, 'Created'));
    const nonce = textOf(child(token, 'Nonce'));
    const digest = createHash('sha1')
      .update(Buffer.from(nonce, 'base64'))
      .update(created)
      .update(this.#password)
      .digest();
    const password = Buffer.from(textOf(child(token, 'Password')), 'base64');
    if (
      textOf(child(token, 'Username')) !== this.#user ||
      password.length !== digest.length ||
      !timingSafeEqual(password, digest) ||
      !(Math.abs(Date.parse(created) - now) <= TOLERANCE_MS) ||
      this.#nonces.has(nonce)
    )
      throw new SoapFault(400, 'Sender', ['ter:NotAuthorized'], 'Sender not Authorized');
    for (const [seen, time] of this.#nonces)
      if (Math.abs(now - time) > 2 * TOLERANCE_MS) this.#nonces.delete(seen);
    this.#nonces.set(nonce, now);
  }
}
