import { setTimeout as sleep } from 'node:timers/promises';

export interface BackoffOptions {
  /** Upper bound of the first delay; the bound doubles with each attempt. */
  readonly firstMs: number;
  /** Cap of the bound. */
  readonly maxMs: number;
  /**
   * `full`: uniform between 0 and the bound, which spreads many clients of one server best. `equal`: uniform between
   * half the bound and the bound, which guarantees a minimum delay.
   */
  readonly jitter: 'full' | 'equal';
  /** Returns 0…1; replaced in tests. Default: Math.random. */
  readonly random?: () => number;
}

/**
 * Capped exponential backoff with jitter, the retry policy of every client. It never gives up: callers limit attempts.
 * (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Failures since the last `reset`. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Milliseconds until the next attempt; each call counts as one failure. */
  next(): number {
    const { firstMs, maxMs } = this.#options;
    return this.nextWithin(Math.min(maxMs, firstMs * 2 ** this.#attempts));
  }

  /** As `next`, with the caller's bound instead of the exponential one. */
  nextWithin(boundMs: number): number {
    const { jitter, random = Math.random } = this.#options;
    this.#attempts += 1;
    return Math.round((jitter === 'full' ? random() : (1 + random()) / 2) * boundMs);
  }

  /** Sleeps for `next()` milliseconds. An aborted signal ends the sleep early; the promise still resolves. */
  async wait(signal?: AbortSignal): Promise<void> {
    await sleep(this.next(), undefined, { ...(signal && { signal }) }).catch(() => {});
  }

  /** An attempt succeeded: the next delay is short again. */
  reset(): void {
    this.#attempts = 0;
  }
}
