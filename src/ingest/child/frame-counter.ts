import type { DropCause, FrameCounts } from '../protocol/messages.ts';

/** Counts the frames of an epoch: decoded, analysed, and dropped by cause. */
export class FrameCounter {
  #decoded = 0;
  #analysed = 0;
  #drops: Partial<Record<DropCause, number>> = {};

  get counts(): FrameCounts {
    return { decoded: this.#decoded, analysed: this.#analysed, drops: { ...this.#drops } };
  }

  /** Counts a decoded frame; returns its number within the epoch, from 0. */
  decoded(): number {
    return this.#decoded++;
  }

  analysed(): void {
    this.#analysed += 1;
  }

  drop(cause: DropCause, frames = 1): void {
    this.#drops[cause] = (this.#drops[cause] ?? 0) + frames;
  }

  /** A new epoch begins: all counts are 0 again. */
  reset(): void {
    this.#decoded = 0;
    this.#analysed = 0;
    this.#drops = {};
  }
}
