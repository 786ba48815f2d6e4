import type { FaceStamp } from '../domain/face.ts';
import type { CropWindow } from '../domain/scores.ts';

/**
 * The newest embeddings of one track: `size` (256) of them, D numbers each, in a ring, and the faces that wait for
 * the next hop. Each crop is embedded once; a window is a copy of what is here.
 */
export class TrackWindow {
  readonly #size: number;
  readonly #embeddingSize: number;
  readonly #ring: Float32Array;
  /** Frames ever taken; the newest stands at (count − 1) mod size. */
  #frameCount = 0;
  #pending: FaceStamp[] = [];

  constructor(size: number, embeddingSize: number) {
    this.#size = size;
    this.#embeddingSize = embeddingSize;
    this.#ring = new Float32Array(size * embeddingSize);
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Without an embedding (an unreliable crop) the newest one is held, or nothing where there is none yet. */
  append(face: FaceStamp, embedding: Float32Array | null): void {
    this.#pending.push(face);
    this.refill(embedding);
  }

  /** As `append`, for a face whose scores were given out before this window was made. */
  refill(embedding: Float32Array | null): void {
    if (embedding === null && this.#frameCount === 0) return;
    const at = this.#frameCount % this.#size;
    if (embedding) this.#ring.set(embedding, at * this.#embeddingSize);
    else
      this.#ring.copyWithin(
        at * this.#embeddingSize,
        this.#ringOffset(this.#frameCount - 1),
        this.#ringOffset(this.#frameCount - 1) + this.#embeddingSize,
      );
    this.#frameCount += 1;
  }

  /** The faces waiting, which wait no longer, and the window that scores them: null where no embedding exists yet. */
  takeHop(): { faces: readonly FaceStamp[]; window: CropWindow | null } {
    const faces = this.#pending;
    this.#pending = [];
    if (this.#frameCount === 0) return { faces, window: null };
    const real = Math.min(this.#frameCount, this.#size);
    const embeddings = new Float32Array(this.#size * this.#embeddingSize);
    for (let row = 0; row < this.#size; row += 1) {
      // While fewer than `size` exist, the oldest one stands for those before it.
      const from = this.#ringOffset(this.#frameCount - real + Math.max(0, row - (this.#size - real)));
      embeddings.set(this.#ring.subarray(from, from + this.#embeddingSize), row * this.#embeddingSize);
    }
    return { faces, window: { faces, embeddings, warmup: real < this.#size } };
  }

  #ringOffset(frame: number): number {
    return (frame % this.#size) * this.#embeddingSize;
  }
}
