import { Backoff } from '../../backoff.ts';
import type { IngestOptions } from '../options.ts';

const HOUR_MS = 3_600_000;

/**
 * When to restart a camera: exponential backoff with full jitter, so that the cameras behind a switch that comes back
 * do not reconnect all at once. The first decoded frame resets it. Beyond a budget of restarts per hour the bound is
 * `exhaustedSeconds`, as it is for a password that is rejected again: many cameras lock out a client that retries too
 * often. It never gives up. Pure: time and randomness are passed in.
 */
export class RestartPolicy {
  readonly #options: IngestOptions['backoff'];
  readonly #backoff: Backoff;
  /** Restarts of the last hour, in monotonic milliseconds; no more than the budget. */
  #restartTimes: number[] = [];

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
   * Milliseconds until the next attempt after a failure at `now` (monotonic milliseconds). `rejected`: the camera
   * rejected the password.
   */
  nextDelay(now: number, rejected = false): number {
    const { maxSeconds, budgetPerHour, exhaustedSeconds } = this.#options;
    this.#restartTimes = this.#restartTimes.filter((at) => at > now - HOUR_MS).slice(-budgetPerHour);
    const exhausted = this.#restartTimes.length >= budgetPerHour;
    this.#restartTimes.push(now);
    if (exhausted || (rejected && this.#backoff.attempts > 0))
      return this.#backoff.nextWithin(Math.max(maxSeconds, exhaustedSeconds) * 1000);
    return this.#backoff.next();
  }

  /** A frame was decoded. */
  succeeded(): void {
    this.#backoff.reset();
  }
}
