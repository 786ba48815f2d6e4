import { createHash, timingSafeEqual } from 'node:crypto';
import { child, SoapFault, textOf, type Xml } from './soap.ts';

/** How far the time of a request may be from the device's own. */
const TOLERANCE_MS = 30_000;

/**
 * Checks WS-Security user name tokens with password digests as devices do (Username Token Profile 1.1, 3.1):
 * digest = Base64(SHA-1(nonce + created + password)), made at about the device's own time, each nonce once.
 */
export class TokenCheck {
  readonly #user: string;
  readonly #password: string;
  readonly #nonces = new Map<string, number>();

  constructor(user: string, password: string) {
    this.#user = user;
    this.#password = password;
  }

  /** Throws a SoapFault. `now`: the device's clock, Unix milliseconds. */
  check(security: Xml, now: number): void {
    const token = child(security, 'UsernameToken');
    const created = textOf(child(token, 'Created'));
    const nonce = textOf(child(token, 'Nonce'));
    const digest = createHash('sha1')
      .update(Buffer.from(nonce, 'base64'))
      .update(created)
      .update(this.#password)
      .digest();
    const given = Buffer.from(textOf(child(token, 'Password')), 'base64');
    if (
      textOf(child(token, 'Username')) !== this.#user ||
      given.length !== digest.length ||
      !timingSafeEqual(given, digest) ||
      !(Math.abs(Date.parse(created) - now) <= TOLERANCE_MS) ||
      this.#nonces.has(nonce)
    )
      throw new SoapFault(400, 'Sender', ['ter:NotAuthorized'], 'Sender not Authorized');
    for (const [old, at] of this.#nonces) if (Math.abs(now - at) > 2 * TOLERANCE_MS) this.#nonces.delete(old);
    this.#nonces.set(nonce, now);
  }
}
