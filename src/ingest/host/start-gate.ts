import { availableParallelism } from 'node:os';

/**
 * Lets only so many camera children start at once: each loads Node, GStreamer and the detector, and fifty of them
 * together would take so long that all ran into their time limits. First come, first served.
 */
export class StartGate {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Calls `enter` when there is room, at once if possible. Returns what leaves the gate, or the queue; call it once. */
  pass(enter: () => void): () => void {
    let state: 'waiting' | 'inside' | 'left' = 'waiting';
    const begin = () => {
      state = 'inside';
      this.#inside += 1;
      enter();
    };
    if (this.#inside < this.#limit) begin();
    else this.#waiting.push(begin);
    return () => {
      if (state === 'inside') {
        this.#inside -= 1;
        this.#waiting.shift()?.();
      } else if (state === 'waiting') this.#waiting.splice(this.#waiting.indexOf(begin), 1);
      state = 'left';
    };
  }
}

/** The gate of this process. */
export const startGate = new StartGate(Math.max(2, availableParallelism()));
