import type { FrameFaces } from '../../domain/face.ts';

/** Frames on their way to the host at once. */
const CREDITS = 8;

/**
 * Sends frames to the host, no more than it takes. A live camera never waits: while the host is behind, only the
 * newest frame is kept, and the number of those that gave way is counted. A file waits.
 */
export class SendQueue {
  readonly #send: (faces: FrameFaces) => void;
  readonly #lose: () => void;
  #credits = CREDITS;
  #pending: FrameFaces | null = null;
  #waiting: (() => void)[] = [];

  constructor(send: (faces: FrameFaces) => void, lose: () => void) {
    this.#send = send;
    this.#lose = lose;
  }

  offer(faces: FrameFaces): void {
    const older = this.#pending;
    if (this.#credits > 0) this.#dispatch(faces);
    else if (older === null) this.#pending = faces;
    else {
      this.#lose();
      // Ends of tracks are no frames: they may come late, but must come.
      const endedTracks =
        older.epoch === faces.epoch ? [...older.endedTracks, ...faces.endedTracks] : faces.endedTracks;
      this.#pending = { ...faces, endedTracks };
    }
  }

  async deliver(faces: FrameFaces): Promise<void> {
    while (this.#credits === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#dispatch(faces);
  }

  /** The host took one. */
  taken(): void {
    this.#credits += 1;
    const pending = this.#pending;
    this.#pending = null;
    if (pending !== null) this.#dispatch(pending);
    else this.#waiting.shift()?.();
  }

  #dispatch(faces: FrameFaces): void {
    this.#credits -= 1;
    this.#send(faces);
  }
}
