import { AU_COUNT } from '../../src/domain/scores.ts';
import type { AuModel } from '../../src/infer/engine/index.ts';

/**
 * A fake model computed in closed form, for tests of windows and batching. D = 2: a crop's first byte / 255, and its
 * square. A frame's score depends on its embedding, its row in the window and the window's sum, so that a wrong window,
 * row or order changes the result. `encoded` counts crops, `batches` lists the encoder's batch sizes.
 */
export function fakeModel(windowSize: number, hop: number): AuModel & { encoded: number; batches: number[] } {
  const model = {
    stamp: { name: 'fake', version: '1', sha256: '0'.repeat(64), trained: false },
    thresholds: new Float32Array(AU_COUNT).fill(0.5),
    sigma: { causal: 3, centered: 3 },
    reliability: null,
    embeddingSize: 2,
    windowSize,
    hop,
    choice: { engine: 'onnx' as const, device: 'cpu', precision: 'fp32' as const, why: 'a test' },
    encoded: 0,
    batches: [] as number[],
    async encode(crops: Uint8Array, n: number) {
      model.encoded += n;
      model.batches.push(n);
      const bytes = crops.length / n;
      return Float32Array.from(
        { length: n * 2 },
        (_, i) => (crops[(i >> 1) * bytes]! / 255) ** (1 + (i % 2)),
      );
    },
    async score(windows: Float32Array, n: number) {
      return Float32Array.from(
        Array.from({ length: n }, (_, w) =>
          referenceScores(windows.subarray(w * windowSize * 2, (w + 1) * windowSize * 2)),
        ).flat(),
      );
    },
    async scoreNewest(windows: Float32Array, n: number) {
      const all = await model.score(windows, n);
      const rows = (w: number) =>
        all.subarray(((w + 1) * windowSize - hop) * AU_COUNT, (w + 1) * windowSize * AU_COUNT);
      return Float32Array.from(Array.from({ length: n }, (_, w) => [...rows(w)]).flat());
    },
    async close() {},
  };
  return model;
}

/** Window (size, 2) → scores (size, 12), flattened. */
export function referenceScores(window: Float32Array): number[] {
  const size = window.length / 2;
  let sum = 0;
  for (const value of window) sum += value;
  return Array.from({ length: size * AU_COUNT }, (_, i) => {
    const row = Math.floor(i / AU_COUNT);
    const logit = 2 * window[row * 2]! - window[row * 2 + 1]! + sum / size - row / size - (i % AU_COUNT) / 12;
    return 1 / (1 + Math.exp(-logit));
  });
}
