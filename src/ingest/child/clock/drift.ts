import type { Micros } from '../../../domain/frame.ts';

/** The first seconds of a stream show how its delivery settles, not its drift. */
const SETTLING: Micros = 15_000_000;
/** Arrival times jitter by milliseconds: over less than a minute, jitter would look like drift. */
const MINIMUM_DURATION: Micros = 60_000_000;

/** Drift of one clock against another: the slope of a least-squares line through readings of their difference. O(1) memory. */
export class Drift {
  #begin: Micros | null = null;
  #firstDifference = 0;
  #n = 0;
  #sumX = 0;
  #sumY = 0;
  #sumXX = 0;
  #sumXY = 0;
  #lastX: Micros = 0;

  /** `time`: by a monotonic clock; `difference`: observed clock minus reference clock. */
  add(time: Micros, difference: Micros): void {
    this.#begin ??= time;
    const x = time - this.#begin - SETTLING;
    if (x < 0) return;
    if (this.#n === 0) this.#firstDifference = difference;
    const y = difference - this.#firstDifference;
    this.#n += 1;
    this.#sumX += x;
    this.#sumY += y;
    this.#sumXX += x * x;
    this.#sumXY += x * y;
    this.#lastX = x;
  }

  /** Parts per million; null until a minute was measured. */
  get ppm(): number | null {
    if (this.#lastX < MINIMUM_DURATION) return null;
    const denominator = this.#n * this.#sumXX - this.#sumX * this.#sumX;
    return denominator > 0 ? ((this.#n * this.#sumXY - this.#sumX * this.#sumY) / denominator) * 1e6 : null;
  }
}
