import type { FrameFaces } from '../../domain/face.ts';

/** Frames that may be sent before the host acknowledges one. */
const CREDITS = 8;

/**
 * Sends frames to the host under credit-based flow control. A live camera never waits: without credits only the newest
 * frame is kept, and each frame that it replaces is counted as a drop. A file waits for a credit.
 */
export class SendQueue {
  readonly #write: (faces: FrameFaces) => void;
  readonly #onDrop: () => void;
  #credits = CREDITS;
  #newest: FrameFaces | null = null;
  /** Senders of `send` that wait for a credit, first in first out. */
  #waiting: (() => void)[] = [];

  constructor(write: (faces: FrameFaces) => void, onDrop: () => void) {
    this.#write = write;
    this.#onDrop = onDrop;
  }

  /** Live: writes the frame now, or keeps it as the newest in place of an older one. */
  offer(faces: FrameFaces): void {
    const replaced = this.#newest;
    if (this.#credits > 0) this.#spend(faces);
    else if (replaced === null) this.#newest = faces;
    else {
      this.#onDrop();
      // The ends of tracks are not frames: they may be late, but are never dropped.
      const endedTracks =
        replaced.epoch === faces.epoch ? [...replaced.endedTracks, ...faces.endedTracks] : faces.endedTracks;
      this.#newest = { ...faces, endedTracks };
    }
  }

  /** File: resolves when the frame is written. */
  async send(faces: FrameFaces): Promise<void> {
    while (this.#credits === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#spend(faces);
  }

  /** The host has processed one frame: returns its credit. */
  acknowledged(): void {
    this.#credits += 1;
    const newest = this.#newest;
    this.#newest = null;
    if (newest !== null) this.#spend(newest);
    else this.#waiting.shift()?.();
  }

  #spend(faces: FrameFaces): void {
    this.#credits -= 1;
    this.#write(faces);
  }
}
