import { clientNetwork } from '../../http/connections.ts';
import { log } from '../../log.ts';

/** Wrong tokens of one address before it must wait. */
const FREE_ATTEMPTS = 5;
/** The first wait; each further wrong token doubles it. */
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
/** An address without a wrong token for this long starts anew. */
const FORGET_MS = 15 * 60_000;
const MAX_ADDRESSES = 1_024;
/** Wrong tokens of all addresses together in a minute, against guesses from many addresses. */
const MAX_PER_MINUTE = 120;

/** Slows down guessing of tokens, by client address and in total. */
export class Attempts {
  readonly #failures = new Map<string, { count: number; at: number }>();
  readonly #now: () => number;
  #minute = { from: 0, count: 0 };

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Milliseconds until this address may try again; 0: now. */
  waitMs(address: string): number {
    const now = this.#now();
    const failed = this.#failures.get(clientNetwork(address));
    const own = failed && failed.count >= FREE_ATTEMPTS ? failed.at + waitAfter(failed.count) - now : 0;
    const all = this.#minute.count >= MAX_PER_MINUTE ? this.#minute.from + 60_000 - now : 0;
    return Math.max(0, own, all);
  }

  failed(address: string): void {
    const now = this.#now();
    const key = clientNetwork(address);
    const before = this.#failures.get(key);
    const count = before && now - before.at < FORGET_MS ? before.count + 1 : 1;
    // Moved to the end: the address that failed longest ago comes first.
    this.#failures.delete(key);
    this.#failures.set(key, { count, at: now });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MAX_ADDRESSES) this.#failures.delete(oldest!);
    if (now - this.#minute.from >= 60_000) this.#minute = { from: now, count: 0 };
    this.#minute.count += 1;
    if (count === 1 || count >= FREE_ATTEMPTS)
      log.warn({ address: key, attempts: count }, 'a wrong token was sent to the live page');
  }

  succeeded(address: string): void {
    this.#failures.delete(clientNetwork(address));
  }
}

function waitAfter(count: number): number {
  return Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (count - FREE_ATTEMPTS));
}
