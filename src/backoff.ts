import { setTimeout as sleep } from 'node:timers/promises';

export interface BackoffOptions {
  /** Upper bound of the first delay; it doubles with each attempt. */
  readonly firstMs: number;
  /** The bound grows no further than this. */
  readonly maxMs: number;
  /**
   * `full`: anywhere between 0 and the bound, so that many clients of one peer spread out. `equal`: between half the
   * bound and the bound.
   */
  readonly jitter: 'full' | 'equal';
  /** 0…1, for tests. */
  readonly random?: () => number;
}

/**
 * Capped exponential backoff with jitter: the one retry policy. It never gives up; how often to try is the caller's.
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
    return this.atMost(Math.min(maxMs, firstMs * 2 ** this.#attempts));
  }

  /** As `next`, with a bound that the caller sets, such as a penalty. */
  atMost(boundMs: number): number {
    const { jitter, random = Math.random } = this.#options;
    this.#attempts += 1;
    return Math.round((jitter === 'full' ? random() : (1 + random()) / 2) * boundMs);
  }

  /** Sleeps for `next()`; an aborted signal ends the sleep early, without an error. */
  async wait(signal?: AbortSignal): Promise<void> {
    await sleep(this.next(), undefined, { ...(signal && { signal }) }).catch(() => {});
  }

  /** An attempt succeeded: the next delay is short again. */
  reset(): void {
    this.#attempts = 0;
  }
}
