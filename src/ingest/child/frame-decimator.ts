import type { Micros } from '../../domain/frame.ts';

const FALLBACK_FPS = 25;
const REMEMBERED = 31;
/** Rates within this of one another count as equal: the unit of time shall not flicker. */
const TOLERANCE = 0.1;

/**
 * Which frames of a stream are analysed, and how far they are apart. The rate is measured from the frames' own
 * times (the median distance), because declared rates lie; a declared one serves until enough were seen.
 */
export class FrameDecimator {
  readonly #wanted: Micros;
  readonly #distances: Micros[] = [];
  #sourceInterval: Micros;
  #last: Micros | null = null;
  #due: Micros | null = null;

  constructor(analysisFps: number, declaredFps: number | null) {
    this.#wanted = 1_000_000 / analysisFps;
    this.#sourceInterval = 1_000_000 / (declaredFps ?? FALLBACK_FPS);
  }

  /** Nominal distance of analysed frames. */
  get interval(): Micros {
    return Math.round(Math.max(this.#wanted, this.#sourceInterval));
  }

  /** Takes note of a decoded frame; true where it is to be analysed. */
  admit(time: Micros): boolean {
    if (this.#last !== null && time > this.#last) this.#measure(time - this.#last);
    this.#last = time;
    // A stream of the wanted rate or slower is taken whole, however much its times jitter.
    if (this.#sourceInterval >= this.#wanted * (1 - TOLERANCE)) return true;
    if (this.#due !== null && time < this.#due - this.#sourceInterval / 4) return false;
    const next = (this.#due ?? time) + this.#wanted;
    this.#due = next > time ? next : time + this.#wanted;
    return true;
  }

  #measure(distance: Micros): void {
    this.#distances.push(distance);
    if (this.#distances.length > REMEMBERED) this.#distances.shift();
    if (this.#distances.length < REMEMBERED) return;
    const median = [...this.#distances].sort((a, b) => a - b)[REMEMBERED >> 1]!;
    if (Math.abs(median - this.#sourceInterval) > TOLERANCE * this.#sourceInterval)
      this.#sourceInterval = median;
  }
}
