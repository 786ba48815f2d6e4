import type { IngestOptions } from '../options.ts';

/**
 * When to try a camera again: exponential backoff with full jitter (a random time up to the cap, so that the
 * cameras of a switch that came back do not all knock at once), reset by the first decoded frame. A camera that
 * flaps, with a frame now and then, uses up a budget of restarts an hour; beyond it the cap is higher, as it is for
 * one that rejects the password, since many cameras lock out who asks too often. It never gives up. Pure: time and
 * chance come from outside.
 */
export class RestartPolicy {
  readonly #options: IngestOptions['backoff'];
  readonly #random: () => number;
  #failures = 0;
  #recent: number[] = [];

  constructor(options: IngestOptions['backoff'], random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /**
   * Milliseconds to wait before the next attempt, after a failure at `now` (milliseconds of a steady clock);
   * `rejected`: the camera answered, and wants another password.
   */
  next(now: number, rejected = false): number {
    const { firstSeconds, maxSeconds, budgetPerHour, exhaustedSeconds } = this.#options;
    this.#recent = this.#recent.filter((at) => at > now - 3_600_000).slice(-budgetPerHour);
    const exhausted = this.#recent.length >= budgetPerHour;
    this.#recent.push(now);
    const ceiling =
      exhausted || (rejected && this.#failures > 0)
        ? Math.max(maxSeconds, exhaustedSeconds)
        : Math.min(maxSeconds, firstSeconds * 2 ** this.#failures);
    this.#failures += 1;
    return Math.round(this.#random() * ceiling * 1000);
  }

  /** A frame was decoded. */
  succeeded(): void {
    this.#failures = 0;
  }
}
