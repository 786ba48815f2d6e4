import { measureSpan, monotonicMs } from '../clock.ts';
import { diagnostics } from '../diagnostics.ts';
import { CROP_BYTES, type FaceCrop } from '../domain/face.ts';
import type { AuModel } from './engine/index.ts';
import type { QueueItem } from './queue.ts';

/** Runs the frame encoder over the crops of a batch. */
export class CropEncoder {
  readonly #model: AuModel;
  readonly #onResult: () => void;

  /** `onResult`: called after each result of the model. */
  constructor(model: AuModel, onResult: () => void) {
    this.#model = model;
    this.#onResult = onResult;
  }

  /** Embeddings (D) of the batch's reliable crops. Unreliable crops are not encoded. */
  async encode(items: readonly QueueItem[]): Promise<Map<FaceCrop, Float32Array>> {
    const crops = items.flatMap((item) =>
      item.kind === 'crop' && item.crop.quality.unreliable === null ? [item.crop] : [],
    );
    if (crops.length === 0) return new Map();
    const pixels = new Uint8Array(crops.length * CROP_BYTES);
    crops.forEach((crop, index) => {
      pixels.set(crop.pixels, index * CROP_BYTES);
    });
    const d = this.#model.embeddingSize;
    const startedAt = monotonicMs();
    const span = measureSpan();
    const rows = await this.#model.encode(pixels, crops.length); // n D
    this.#onResult();
    if (diagnostics.encoded.hasSubscribers) {
      const waits = items.map((item) => (item.kind === 'crop' ? startedAt - item.queuedAt : 0));
      diagnostics.encoded.publish({ ...span(), faces: crops, longestWaitMs: Math.max(...waits) });
    }
    return new Map(crops.map((crop, index) => [crop, rows.subarray(index * d, (index + 1) * d)]));
  }
}
