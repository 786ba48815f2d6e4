import type { Tensor } from '@tensorflow/tfjs-core';
import { CROP_BYTES } from '../../../src/domain/face.ts';
import { loadTensorflow, type TfjsBackend } from '../../../src/infer/engine/tfjs/backend.ts';
import { TfjsEngine } from '../../../src/infer/engine/tfjs/engine.ts';
import { TfjsOps } from '../../../src/infer/engine/tfjs/ops.ts';
import {
  architectureSchema,
  embeddingSize,
  type PresetName,
  preset,
} from '../../../src/infer/model/architecture.ts';
import { frameEncoder, windowEncoder } from '../../../src/infer/model/ensemble.ts';
import type { Ops } from '../../../src/infer/model/ops.ts';
import { randomWeights, uniform } from '../../../src/infer/weights/random-weights.ts';
import {
  type EnsembleFixture,
  goldenCrops,
  layerMismatches,
  maxAbsDifference,
  readGolden,
  recordLayerOutputs,
} from './golden.ts';

/**
 * Runs in its own process, because TensorFlow.js has one backend per process, and native TensorFlow is found through
 * NODE_PATH. Prints JSON. Usage: node tfjs-program.ts BACKEND parity PRESET | leaks HOPS
 */
const [backend, command, argument] = process.argv.slice(2) as [TfjsBackend, string, string];
// One thread: several would spin while idle and slow other tests down.
const tf = await loadTensorflow(backend, 1);

/** Outputs of one run by name. */
function run(compute: (ops: Ops<Tensor>) => Record<string, Tensor>): Map<string, Float32Array> {
  const ops = new TfjsOps(tf, randomWeights);
  const outputs = tf.tidy(() =>
    Object.entries(compute(ops)).map(([name, x]): [string, Float32Array] => [
      name,
      x.dataSync() as Float32Array,
    ]),
  );
  ops.dispose();
  return new Map(outputs);
}

function parity(name: PresetName) {
  const golden = readGolden<EnsembleFixture>(name);
  const taps = new Set(Object.keys(golden.taps));
  const net = preset(name);
  const frame = run((ops) => {
    const recording = recordLayerOutputs(ops, taps);
    const embeddings = frameEncoder(
      recording.ops,
      tf.tensor(goldenCrops('crops', 2), [2, 112, 112, 3], 'int32'),
      net,
    );
    return { ...Object.fromEntries(recording.outputs), embeddings };
  });
  const size = embeddingSize(net);
  const window = uniform('window', 256 * size);
  const scored = run((ops) => {
    const recording = recordLayerOutputs(ops, taps);
    const scores = windowEncoder(recording.ops, tf.tensor(window, [1, 256, size]), net, 256);
    return { ...Object.fromEntries(recording.outputs), scores };
  });
  const newest = run((ops) => ({
    scores: windowEncoder(ops, tf.tensor(window, [1, 256, size]), net, 16),
  })).get('scores')!;
  const outputs = new Map([...frame, ...scored]);
  return {
    missing: [...taps].filter((tap) => !outputs.has(tap)),
    mismatches: layerMismatches(outputs, golden.taps, 1e-4),
    scores: maxAbsDifference(golden.newest, scored.get('scores')!.slice(-16 * 12)),
    newest: maxAbsDifference(golden.newest, newest),
  };
}

/** Tensors and bytes at ten points during `hops` hops, with varying batch sizes; `after`: tensors after close. */
async function leaks(hops: number) {
  const net = architectureSchema.parse({
    stem: 4,
    depths: [1, 1, 1, 1],
    widths: [4, 4, 4, 4],
    groupWidth: 2,
    vivit: { dim: 4, heads: 1, mlp: 4, spatialLayers: 1, temporalLayers: 1 },
  });
  const engine = await TfjsEngine.open(net, randomWeights, { backend, threads: 1, hop: 16 });
  const pixels = goldenCrops('leaks', 3);
  const windows = uniform('leaks', 2 * 256 * 4);
  const samples: { numTensors: number; numBytes: number; rss: number }[] = [];
  for (let hop = 0; hop < hops; hop++) {
    // Embedding only every tenth hop shows a leak as well, in a fifth of the time.
    const n = 1 + ((hop / 10) % 3);
    if (hop % 10 === 0) await engine.encode(pixels.subarray(0, n * CROP_BYTES), n);
    const w = hop % 100 === 0 ? 2 : 1;
    await engine.scoreNewest(windows.subarray(0, w * 256 * 4), w);
    if ((hop + 1) % (hops / 10) === 0) {
      globalThis.gc?.(); // run with --expose-gc: uncollected garbage is no leak
      const { numTensors, numBytes } = tf.memory();
      samples.push({ numTensors, numBytes, rss: process.memoryUsage.rss() });
    }
  }
  await engine.close();
  return { samples, after: tf.memory().numTensors };
}

const started = performance.now();
const result = command === 'leaks' ? await leaks(Number(argument)) : parity(argument as PresetName);
console.log(JSON.stringify({ backend: tf.getBackend(), ms: performance.now() - started, ...result }));
process.exit(0); // WebAssembly worker threads would keep the process alive
