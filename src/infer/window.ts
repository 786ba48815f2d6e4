import type { FaceStamp } from '../domain/face.ts';
import type { CropWindow } from '../domain/scores.ts';

/**
 * Sliding window of one track: a ring buffer of its newest `size` (256) embeddings of D floats, and the faces pending
 * for the next hop. Each crop is embedded once; windows are copied from the ring buffer.
 */
export class TrackWindow {
  readonly #size: number;
  readonly #embeddingSize: number;
  readonly #ring: Float32Array;
  /** Embeddings ever appended; the newest is at row (frameCount − 1) mod size. */
  #frameCount = 0;
  #pending: FaceStamp[] = [];

  constructor(size: number, embeddingSize: number) {
    this.#size = size;
    this.#embeddingSize = embeddingSize;
    this.#ring = new Float32Array(size * embeddingSize);
  }

  /** Faces pending for the next hop. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /**
   * Appends a face with its embedding (D). For an unreliable crop, `embedding` is null and the previous embedding is
   * repeated; before the first embedding the window stays empty.
   */
  append(face: FaceStamp, embedding: Float32Array | null): void {
    this.#pending.push(face);
    this.refill(embedding);
  }

  /** Appends an embedding of a face that is already scored, to refill a restored window. */
  refill(embedding: Float32Array | null): void {
    if (embedding === null && this.#frameCount === 0) return;
    const next = this.#ringOffset(this.#frameCount);
    const previous = this.#ringOffset(this.#frameCount - 1);
    if (embedding) this.#ring.set(embedding, next);
    else this.#ring.copyWithin(next, previous, previous + this.#embeddingSize);
    this.#frameCount += 1;
  }

  /** Removes and returns the pending faces, with the window (256, D) that scores them; null while it is empty. */
  takeHop(): { faces: readonly FaceStamp[]; window: CropWindow | null } {
    const faces = this.#pending;
    this.#pending = [];
    if (this.#frameCount === 0) return { faces, window: null };
    const real = Math.min(this.#frameCount, this.#size);
    const embeddings = new Float32Array(this.#size * this.#embeddingSize);
    for (let row = 0; row < this.#size; row += 1) {
      // Edge padding: while fewer than `size` embeddings exist, the oldest one is repeated on the left.
      const from = this.#ringOffset(this.#frameCount - real + Math.max(0, row - (this.#size - real)));
      embeddings.set(this.#ring.subarray(from, from + this.#embeddingSize), row * this.#embeddingSize);
    }
    return { faces, window: { faces, embeddings, warmup: real < this.#size } };
  }

  /** Offset of the embedding appended as number `frame` in the ring buffer. */
  #ringOffset(frame: number): number {
    return (frame % this.#size) * this.#embeddingSize;
  }
}
