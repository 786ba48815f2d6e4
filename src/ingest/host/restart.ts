import { Backoff } from '../../backoff.ts';
import type { IngestOptions } from '../options.ts';

const HOUR_MS = 3_600_000;

/**
 * When to try a camera again: exponential backoff with full jitter, so that the cameras of a switch that came back do
 * not connect all at once; the first decoded frame resets it. A camera that flaps uses up a budget of restarts an hour.
 * Past the budget the cap is `exhaustedSeconds`; so it is after a rejected password, because many cameras lock out a
 * client that tries too often. It never gives up. Pure: time and randomness come from outside.
 */
export class RestartPolicy {
  readonly #options: IngestOptions['backoff'];
  readonly #backoff: Backoff;
  /** Times of the newest restarts, in milliseconds of a steady clock. */
  #recent: number[] = [];

  constructor(options: IngestOptions['backoff'], random: () => number = Math.random) {
    this.#options = options;
    const { firstSeconds, maxSeconds } = options;
    this.#backoff = new Backoff({
      firstMs: firstSeconds * 1000,
      maxMs: maxSeconds * 1000,
      jitter: 'full',
      random,
    });
  }

  /**
   * Milliseconds to wait before the next attempt, after a failure at `now` (milliseconds of a steady clock);
   * `rejected`: the camera answered, and wants another password.
   */
  next(now: number, rejected = false): number {
    const { maxSeconds, budgetPerHour, exhaustedSeconds } = this.#options;
    this.#recent = this.#recent.filter((at) => at > now - HOUR_MS).slice(-budgetPerHour);
    const exhausted = this.#recent.length >= budgetPerHour;
    this.#recent.push(now);
    if (exhausted || (rejected && this.#backoff.attempts > 0))
      return this.#backoff.nextWithin(Math.max(maxSeconds, exhaustedSeconds) * 1000);
    return this.#backoff.next();
  }

  /** A frame was decoded. */
  succeeded(): void {
    this.#backoff.reset();
  }
}
