/** Builds, loads and runs the preset `paper` in its own process, so that its peak memory can be read. Prints JSON. */
import { CROP_BYTES } from '../../../src/domain/face.ts';
import { OnnxEngine } from '../../../src/infer/engine/onnx/engine.ts';
import { embeddingSize, preset } from '../../../src/infer/model/architecture.ts';
import { randomWeights } from '../../../src/infer/weights/random-weights.ts';

const net = preset('paper');
const engine = await OnnxEngine.open(net, randomWeights, { precision: 'fp32', hop: 16, threads: 2 });
const embeddings = await engine.encode(new Uint8Array(16 * CROP_BYTES), 16);
const window = new Float32Array(256 * embeddingSize(net));
for (let row = 0; row < 256; row++)
  window.set(embeddings.subarray(0, embeddingSize(net)), row * embeddingSize(net));
const scores = await engine.scoreNewest(window, 1);
await engine.close();
const peakBytes = process.resourceUsage().maxRSS * 1024;
process.stdout.write(
  JSON.stringify({ scores: scores.length, finite: scores.every(Number.isFinite), peakBytes }),
);
