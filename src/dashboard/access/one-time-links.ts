import { digest, newSecret } from './digest.ts';

/** A link that was asked for is used at once, or not at all. */
const VALID_MS = 10 * 60_000;
const MAX_LINKS = 16;

/** Tokens that open one session each. They are random enough (256 bits) that guessing needs no brake. */
export class OneTimeLinks {
  /** When each expires, ms, by the token's digest; the newest last. */
  readonly #expiry = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** `lasting`: valid until it is used; otherwise for ten minutes. */
  issue(lasting = false): string {
    const token = newSecret();
    this.#expiry.set(digest(token), lasting ? Number.POSITIVE_INFINITY : this.#now() + VALID_MS);
    const [oldest] = this.#expiry.keys();
    if (this.#expiry.size > MAX_LINKS) this.#expiry.delete(oldest!);
    return token;
  }

  /** Whether the token is valid. It never is again. */
  use(token: string): boolean {
    const key = digest(token);
    const expiresAt = this.#expiry.get(key);
    this.#expiry.delete(key);
    return expiresAt !== undefined && this.#now() < expiresAt;
  }
}
