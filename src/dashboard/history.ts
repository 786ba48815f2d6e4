/** Stands for a missing score: the face was unreliable. */
export const NO_SCORE = -1;

const INITIAL_CAPACITY = 256;

/**
 * Ring buffer of one face's newest samples, in typed arrays that double up to `capacity` samples. Scores are
 * thousandths. Shared by the server and the page.
 */
export class FaceHistory {
  readonly #auCount: number;
  readonly #capacity: number;
  #size = INITIAL_CAPACITY;
  #times = new Float64Array(INITIAL_CAPACITY);
  #raw: Int16Array;
  #smoothed: Int16Array;
  #active = new Uint16Array(INITIAL_CAPACITY);
  /** Samples pushed so far; the newest has number `pushed - 1`. */
  pushed = 0;

  constructor(auCount: number, capacity: number) {
    this.#auCount = auCount;
    this.#capacity = capacity;
    this.#raw = new Int16Array(INITIAL_CAPACITY * auCount);
    this.#smoothed = new Int16Array(INITIAL_CAPACITY * auCount);
  }

  /** Number of the oldest sample still kept. */
  get oldest(): number {
    return Math.max(0, this.pushed - this.#size);
  }

  /** `time`: ms; `raw`, `smoothed`: one score per AU, thousandths or `NO_SCORE`; `active`: bit i for AU i. */
  push(time: number, raw: ArrayLike<number>, smoothed: ArrayLike<number>, active: number): void {
    if (this.pushed === this.#size && this.#size < this.#capacity) this.#grow();
    const slot = this.pushed % this.#size;
    this.#times[slot] = time;
    this.#active[slot] = active;
    this.#raw.set(raw, slot * this.#auCount);
    this.#smoothed.set(smoothed, slot * this.#auCount);
    this.pushed += 1;
  }

  /** The clock of the times was set by `ms`. */
  shift(ms: number): void {
    this.#times = this.#times.map((time) => time + ms);
  }

  time(sample: number): number {
    return this.#times[sample % this.#size]!;
  }

  active(sample: number): number {
    return this.#active[sample % this.#size]!;
  }

  /** Thousandths, or `NO_SCORE`. */
  raw(sample: number, au: number): number {
    return this.#raw[(sample % this.#size) * this.#auCount + au]!;
  }

  smoothed(sample: number, au: number): number {
    return this.#smoothed[(sample % this.#size) * this.#auCount + au]!;
  }

  /** Number of the first kept sample at or after `time`; `pushed` when there is none. */
  firstSince(time: number): number {
    let low = this.oldest;
    let high = this.pushed;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.time(middle) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Doubles the ring; called only while sample n lies in slot n. */
  #grow(): void {
    const size = Math.min(this.#size * 2, this.#capacity);
    const times = new Float64Array(size);
    times.set(this.#times);
    const active = new Uint16Array(size);
    active.set(this.#active);
    const raw = new Int16Array(size * this.#auCount);
    raw.set(this.#raw);
    const smoothed = new Int16Array(size * this.#auCount);
    smoothed.set(this.#smoothed);
    this.#times = times;
    this.#active = active;
    this.#raw = raw;
    this.#smoothed = smoothed;
    this.#size = size;
  }
}
