import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emitGraph } from '../../../src/infer/engine/onnx/emit-graph.ts';
import { writeGraph } from '../../../src/infer/engine/onnx/graph-cache.ts';
import type { GraphPrecision, Value } from '../../../src/infer/engine/onnx/ops.ts';
import { OnnxSession } from '../../../src/infer/engine/onnx/session.ts';
import {
  type Architecture,
  embeddingSize,
  type PresetName,
  preset,
} from '../../../src/infer/model/architecture.ts';
import { frameEncoder, windowEncoder } from '../../../src/infer/model/ensemble.ts';
import { BATCH, type Ops } from '../../../src/infer/model/ops.ts';
import { parameterManifest } from '../../../src/infer/model/parameter-manifest.ts';
import { regnet } from '../../../src/infer/model/regnet.ts';
import { randomWeights, uniform } from '../../../src/infer/weights/random-weights.ts';
import {
  type EnsembleFixture,
  goldenCrops,
  layerMismatches,
  maxAbsDifference,
  maxSampleError,
  readGolden,
  recordLayerOutputs,
  type Sample,
} from './golden.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'austream-parity-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Emits and runs one graph; returns its outputs by name. */
async function run(
  name: string,
  input: { element: 'uint8' | 'float'; shape: readonly number[]; data: Uint8Array | Float32Array; n: number },
  describeGraph: (ops: Ops<Value>, x: Value) => Record<string, Value>,
  precision: GraphPrecision = 'fp32',
): Promise<Map<string, Float32Array>> {
  const [, ...rest] = input.shape;
  writeGraph(folder, name, (initializers) =>
    emitGraph(
      {
        name,
        inputs: { x: { element: input.element, shape: [BATCH, ...rest] } },
        parameters: randomWeights,
        precision,
        initializers,
      },
      (ops, { x }) => describeGraph(ops, x),
    ),
  );
  const session = await OnnxSession.open(join(folder, `${name}.onnx`), { threads: 2 });
  try {
    const results = await session.run({ x: { data: input.data, shape: [input.n, ...rest] } });
    return new Map(Object.entries(results).map(([key, { data }]) => [key, data]));
  } finally {
    await session.close();
  }
}

const pixels = (n: number) => ({
  element: 'uint8' as const,
  shape: [n, 112, 112, 3],
  data: goldenCrops('crops', n),
  n,
});

function windows(net: Architecture) {
  const size = embeddingSize(net);
  const data = Float32Array.from(uniform('window', 256 * size));
  return { element: 'float' as const, shape: [1, 256, size], data, n: 1 };
}

async function frames(name: PresetName, taps: ReadonlySet<string>, precision?: GraphPrecision) {
  const encode = (ops: Ops<Value>, x: Value) => {
    const recording = recordLayerOutputs(ops, taps);
    const embeddings = frameEncoder(recording.ops, x, preset(name));
    return { ...Object.fromEntries(recording.outputs), embeddings };
  };
  return run(`${name}-frame`, pixels(2), encode, precision);
}

async function scores(
  name: PresetName,
  taps: ReadonlySet<string>,
  {
    newest = 256,
    precision,
    change = {},
  }: { newest?: number; precision?: GraphPrecision; change?: object } = {},
) {
  const net = { ...preset(name), ...change };
  const score = (ops: Ops<Value>, x: Value) => {
    const recording = recordLayerOutputs(ops, taps);
    const output = windowEncoder(recording.ops, x, net, newest);
    return { ...Object.fromEntries(recording.outputs), scores: output };
  };
  return run(`${name}-window`, windows(preset(name)), score, precision);
}

const noTaps = new Set<string>();

describe('RegNetY-400MF', () => {
  it("matches timm's regnety_004 layer by layer", async () => {
    const golden = readGolden<{ features: Sample; taps: Record<string, Sample> }>('regnety_004');
    const outputs = await run('regnety', pixels(2), (ops, x) => {
      const recording = recordLayerOutputs(ops, new Set(Object.keys(golden.taps)));
      const std = [0.229, 0.224, 0.225];
      const image = ops.image(
        x,
        std.map((s) => 1 / 255 / s),
        [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
      );
      const features = ops.tokens(regnet(recording.ops, image, 'backbone', preset('paper')));
      return { ...Object.fromEntries(recording.outputs), features };
    });
    expect([...outputs.keys()].sort()).toEqual([...Object.keys(golden.taps), 'features'].sort());
    expect(layerMismatches(outputs, golden.taps, 1e-5)).toEqual([]);
    expect(maxSampleError(outputs.get('features')!, golden.features)).toBeLessThan(
      1e-5 * golden.features.largest,
    );
  });
});

describe.each(['edge', 'paper-compact', 'paper'] as const)('preset %s', (name) => {
  const golden = readGolden<EnsembleFixture>(name);
  const taps = new Set(Object.keys(golden.taps));

  it('has the parameter count of the PyTorch model', () => {
    const { count } = parameterManifest(preset(name));
    expect(count).toBe(Object.values(golden.parameters).reduce((sum, n) => sum + n, 0));
  });

  it('matches PyTorch in fp32 layer by layer', async () => {
    const frame = await frames(name, taps);
    const window = await scores(name, taps);
    const outputs = new Map([...frame, ...window]);
    expect(Object.keys(golden.taps).filter((tap) => !outputs.has(tap))).toEqual([]);
    expect(layerMismatches(outputs, golden.taps, 1e-5)).toEqual([]);
    expect(maxSampleError(frame.get('embeddings')!, golden.embeddings)).toBeLessThan(1e-5);
    expect(maxSampleError(window.get('scores')!, golden.scores.ensemble)).toBeLessThan(1e-5);
    expect(maxAbsDifference(window.get('scores')!.slice(-16 * 12), golden.newest)).toBeLessThan(1e-5);
  }, 600_000);

  // The remaining tests cover code that does not depend on the size; `paper` would be slow.
  if (name === 'paper') return;

  it('gives the newest frames the same scores as the whole window', async () => {
    const all = (await scores(name, noTaps)).get('scores')!;
    for (const newest of [1, 16, 255]) {
      const newestScores = (await scores(name, noTaps, { newest })).get('scores')!;
      expect(newestScores.length).toBe(newest * 12);
      expect(maxAbsDifference(newestScores, all.slice(-newest * 12))).toBeLessThan(1e-5);
    }
  });

  it.each([
    ['vivit', { nguyen: undefined }],
    ['fused', { vivit: undefined }],
    ['branch1', { vivit: undefined, nguyen: { ...preset(name).nguyen, outputMode: 'branch1' } }],
  ] as const)('matches PyTorch with the single member %s', async (member, change) => {
    const net = { ...preset(name), ...change } as Architecture;
    const dim = golden.embeddings.shape[1]! - preset(name).widths.at(-1)!;
    const window = windows(preset(name));
    const [from, to] = member === 'vivit' ? [0, dim] : [dim, window.shape[2]!];
    const score = (ops: Ops<Value>, x: Value) => ({
      scores: windowEncoder(ops, ops.slice(x, 2, from, to), net, 256),
    });
    const outputs = await run(`${name}-${member}`, window, score);
    expect(maxSampleError(outputs.get('scores')!, golden.scores[member])).toBeLessThan(1e-5);
  });
});

describe.each(['edge', 'paper-compact'] as const)('preset %s in fp16', (name) => {
  it('stays within 2e-3 of PyTorch', async () => {
    const golden = readGolden<EnsembleFixture>(name);
    const window = await scores(name, noTaps, { precision: 'fp16' });
    expect(maxSampleError(window.get('scores')!, golden.scores.ensemble)).toBeLessThan(2e-3);
    const frame = await frames(name, noTaps, 'fp16');
    expect(maxSampleError(frame.get('embeddings')!, golden.embeddings)).toBeLessThan(
      1e-2 * golden.embeddings.largest,
    );
  });
});
