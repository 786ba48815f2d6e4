import type { Micros } from '../../../domain/frame.ts';

/** The first seconds of a stream show how its delivery settles, not how its clock goes. */
const SETTLING: Micros = 15_000_000;
/** Delivery times jitter by milliseconds: over less than a minute that would pass for drift. */
const LEAST: Micros = 60_000_000;

/**
 * How fast one clock gains on another: the slope of a line (least squares) through readings of how far it is ahead.
 * Constant memory, however long it goes on.
 */
export class Drift {
  #begin: Micros | null = null;
  #first = 0;
  #n = 0;
  #x = 0;
  #y = 0;
  #xx = 0;
  #xy = 0;
  #last: Micros = 0;

  /** `at`: when, on a clock that never jumps; `ahead`: by how much the observed clock was ahead. */
  add(at: Micros, ahead: Micros): void {
    this.#begin ??= at;
    const x = at - this.#begin - SETTLING;
    if (x < 0) return;
    if (this.#n === 0) this.#first = ahead;
    const y = ahead - this.#first;
    this.#n += 1;
    this.#x += x;
    this.#y += y;
    this.#xx += x * x;
    this.#xy += x * y;
    this.#last = x;
  }

  /** Parts in a million; null until enough was seen. */
  get ppm(): number | null {
    if (this.#last < LEAST) return null;
    const spread = this.#n * this.#xx - this.#x * this.#x;
    return spread > 0 ? ((this.#n * this.#xy - this.#x * this.#y) / spread) * 1e6 : null;
  }
}
