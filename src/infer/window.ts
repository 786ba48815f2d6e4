import type { FaceStamp } from '../domain/face.ts';
import type { CropWindow } from '../domain/scores.ts';

/**
 * The newest embeddings of one track: `size` (256) of them, D numbers each, in a ring, and the faces that wait for
 * the next hop. Each crop is embedded once; a window is a copy of what is here.
 */
export class TrackWindow {
  readonly #size: number;
  readonly #d: number;
  readonly #ring: Float32Array;
  /** Frames ever taken; the newest stands at (count − 1) mod size. */
  #count = 0;
  #waiting: FaceStamp[] = [];

  constructor(size: number, embeddingSize: number) {
    this.#size = size;
    this.#d = embeddingSize;
    this.#ring = new Float32Array(size * embeddingSize);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Without an embedding (an unreliable crop) the newest one is held, or nothing where there is none yet. */
  append(face: FaceStamp, embedding: Float32Array | null): void {
    this.#waiting.push(face);
    this.rebuild(embedding);
  }

  /** As `append`, for a face whose scores were given out before this window was made. */
  rebuild(embedding: Float32Array | null): void {
    if (embedding === null && this.#count === 0) return;
    const at = this.#count % this.#size;
    if (embedding) this.#ring.set(embedding, at * this.#d);
    else
      this.#ring.copyWithin(at * this.#d, this.#row(this.#count - 1), this.#row(this.#count - 1) + this.#d);
    this.#count += 1;
  }

  /** The faces waiting, which wait no longer, and the window that scores them: null where no embedding exists yet. */
  take(): { faces: readonly FaceStamp[]; window: CropWindow | null } {
    const faces = this.#waiting;
    this.#waiting = [];
    if (this.#count === 0) return { faces, window: null };
    const real = Math.min(this.#count, this.#size);
    const embeddings = new Float32Array(this.#size * this.#d);
    for (let row = 0; row < this.#size; row += 1) {
      // While fewer than `size` exist, the oldest one stands for those before it.
      const from = this.#row(this.#count - real + Math.max(0, row - (this.#size - real)));
      embeddings.set(this.#ring.subarray(from, from + this.#d), row * this.#d);
    }
    return { faces, window: { faces, embeddings, warmup: real < this.#size } };
  }

  #row(frame: number): number {
    return (frame % this.#size) * this.#d;
  }
}
