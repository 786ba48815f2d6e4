import type { Micros } from '../../domain/frame.ts';

const DEFAULT_FPS = 25;
/** Number of intervals whose median is the source's frame interval. */
const MEASURED_INTERVALS = 31;
/** Intervals within this fraction of one another count as equal, so that the nominal interval does not flicker. */
const TOLERANCE = 0.1;

/**
 * Reduces a stream's frame rate to the target rate; reports the nominal interval of the admitted frames. The
 * source's interval is measured (median of the frames' own times), because declared rates can be wrong; the declared
 * rate is used until enough frames were seen.
 */
export class FrameDecimator {
  readonly #targetInterval: Micros;
  readonly #intervals: Micros[] = [];
  #sourceInterval: Micros;
  #lastTime: Micros | null = null;
  /** When the next frame is due to be admitted. */
  #due: Micros | null = null;

  constructor(targetFps: number, declaredFps: number | null) {
    this.#targetInterval = 1_000_000 / targetFps;
    this.#sourceInterval = 1_000_000 / (declaredFps ?? DEFAULT_FPS);
  }

  /** Nominal interval of the admitted frames. */
  get interval(): Micros {
    return Math.round(Math.max(this.#targetInterval, this.#sourceInterval));
  }

  /** Call it for every decoded frame; true if the frame is to be analysed. */
  admit(time: Micros): boolean {
    if (this.#lastTime !== null && time > this.#lastTime) this.#measure(time - this.#lastTime);
    this.#lastTime = time;
    // Every frame of a stream at or below the target rate is admitted, however much its times jitter.
    if (this.#sourceInterval >= this.#targetInterval * (1 - TOLERANCE)) return true;
    if (this.#due !== null && time < this.#due - this.#sourceInterval / 4) return false;
    const next = (this.#due ?? time) + this.#targetInterval;
    this.#due = next > time ? next : time + this.#targetInterval;
    return true;
  }

  #measure(interval: Micros): void {
    this.#intervals.push(interval);
    if (this.#intervals.length > MEASURED_INTERVALS) this.#intervals.shift();
    if (this.#intervals.length < MEASURED_INTERVALS) return;
    const median = [...this.#intervals].sort((a, b) => a - b)[MEASURED_INTERVALS >> 1]!;
    if (Math.abs(median - this.#sourceInterval) > TOLERANCE * this.#sourceInterval)
      this.#sourceInterval = median;
  }
}
