/**
 * Limits how fast the host takes what a camera process sends: reading waits, and so does the process once its pipe is
 * full. A token bucket; `now` is milliseconds of a monotonic clock.
 */
export class Intake {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number | null = null;

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Takes `cost` tokens; returns how many milliseconds to wait before the next call. */
  take(cost: number, now: number): number {
    const elapsedMs = now - (this.#filledAt ?? now);
    this.#filledAt = now;
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs / 1000) * this.#perSecond) - cost;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1000;
  }
}
