import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AU_COUNT } from '../../../src/domain/scores.ts';
import { type ModelOptions, openModel } from '../../../src/infer/engine/index.ts';
import { GraphCache } from '../../../src/infer/engine/onnx/graph-cache.ts';
import { inferOptions } from '../../../src/infer/options.ts';
import { randomWeights } from '../../../src/infer/weights/random-weights.ts';
import { float32Tensor, modelFolder, tinyTensors } from '../weights/model-folder.ts';
import { goldenCrops, maxAbsDifference, maxSampleError, readGolden, type Sample } from './golden.ts';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'austream-open-'));
  vi.stubEnv('XDG_CACHE_HOME', scratch);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true, force: true });
});

const options = (overrides: Partial<ModelOptions> = {}) => inferOptions.parse({ threads: 2, ...overrides });

const cachedGraphs = () =>
  existsSync(join(scratch, 'austream'))
    ? readdirSync(join(scratch, 'austream'), { recursive: true, encoding: 'utf8' }).filter((file) =>
        file.endsWith('.onnx'),
      )
    : [];

describe('the default model', () => {
  const golden = readGolden<{ sha256: string; embeddings: Sample; scores: number[] }>('shipped');

  it('has the sha256 that the golden values were computed with', () => {
    const manifest = JSON.parse(readFileSync('models/edge/model.json', 'utf8'));
    expect(
      manifest.weights[0].sha256,
      'new weights need new golden values: training/austream_training/golden.py',
    ).toBe(golden.sha256);
  });

  it.each([
    ['fp32', 1e-5],
    ['fp16', 2e-3],
    ['int8', 2e-2],
  ] as const)('matches PyTorch in %s', async (precision, tolerance) => {
    const model = await openModel(options({ precision }));
    const embeddings = await model.encode(goldenCrops('shipped', 12), 12);
    expect(maxSampleError(embeddings, golden.embeddings) / golden.embeddings.largest).toBeLessThan(tolerance);
    const d = model.embeddingSize;
    const window = Float32Array.from({ length: 256 * d }, (_, i) => embeddings[i % (12 * d)]!);
    const scores = await model.score(window, 1);
    const newest = await model.scoreNewest(window, 1);
    expect(newest.length).toBe(16 * AU_COUNT);
    golden.scores.forEach((expected, i) => {
      expect(Math.abs(newest[i]! - expected)).toBeLessThan(tolerance);
      expect(Math.abs(scores[240 * AU_COUNT + i]! - expected)).toBeLessThan(tolerance);
    });
    await model.close();
  });

  it('gives a crop the same embedding and a window the same scores in any batch', async () => {
    const model = await openModel(options({ hop: 4 }));
    const [d, n] = [model.embeddingSize, 5];
    const pixels = goldenCrops('batch', n);
    const batched = await model.encode(pixels, n);
    const windows = Float32Array.from({ length: n * 256 * d }, (_, i) => batched[(i * 7) % (n * d)]!);
    const scored = await model.scoreNewest(windows, n);
    for (let i = 0; i < n; i++) {
      const single = await model.encode(
        pixels.slice((i * pixels.length) / n, ((i + 1) * pixels.length) / n),
        1,
      );
      expect(maxAbsDifference(single, batched.subarray(i * d))).toBeLessThan(1e-5);
      const window = windows.slice(i * 256 * d, (i + 1) * 256 * d);
      const singleScores = await model.scoreNewest(window, 1);
      expect(maxAbsDifference(singleScores, scored.subarray(i * 4 * AU_COUNT))).toBeLessThan(1e-5);
    }
    await model.close();
  });

  it('supports overlapping calls', async () => {
    const model = await openModel(options());
    const pixels = goldenCrops('overlap', 3);
    const expected = await model.encode(pixels, 3);
    const overlapping = await Promise.all(Array.from({ length: 4 }, () => model.encode(pixels, 3)));
    for (const embeddings of overlapping) expect(embeddings).toEqual(expected);
    await model.close();
  });

  it('reports its stamp, its engine and why the engine was chosen', async () => {
    const model = await openModel(options());
    expect(model.stamp).toMatchObject({ name: 'austream-edge', trained: true, sha256: golden.sha256 });
    expect(model.choice).toEqual({
      engine: 'onnx',
      device: 'cpu',
      precision: 'fp32',
      why: 'no NVIDIA GPU found',
    });
    expect(model.thresholds.length).toBe(AU_COUNT);
    expect(model.reliability!.every((value) => value >= 0 && value <= 1)).toBe(true);
    await model.close();
  });
});

describe('the graph cache', () => {
  it('builds a graph once per architecture, weights, precision and hop, with progress', async () => {
    const folder = modelFolder();
    const before = cachedGraphs().length;
    const steps: [string, number, number][] = [];
    const open = (overrides: Partial<ModelOptions> = {}) =>
      openModel(options({ model: folder, ...overrides }), (...step) => steps.push(step));
    await (await open()).close();
    expect(cachedGraphs().length).toBe(before + 2);
    for (const task of ['building frame', 'building window-16']) {
      const taskSteps = steps.filter(([name]) => name === task);
      expect(taskSteps.at(-1)![1]).toBe(taskSteps.at(-1)![2]);
    }
    steps.length = 0;
    await (await open()).close();
    expect(steps).toEqual([]);
    await (await open({ hop: 8 })).close();
    expect(new Set(steps.map(([name]) => name))).toEqual(new Set(['building window-8']));
    expect(cachedGraphs().length).toBe(before + 3);
    const tensors = tinyTensors();
    tensors.set('vivit.head.bias', float32Tensor(new Float32Array(12), [12]));
    const other = modelFolder({ tensors });
    await (await openModel(options({ model: other }))).close();
    expect(cachedGraphs().length).toBe(before + 5);
    for (const path of [folder, other]) rmSync(path, { recursive: true });
  });

  it('keeps no partial graph and opens no session if a weight is not finite', async () => {
    const tensors = tinyTensors();
    const values = randomWeights.read('vivit.temporal_norm.weight', [16]);
    values[3] = NaN;
    tensors.set('vivit.temporal_norm.weight', float32Tensor(values, [16]));
    const folder = modelFolder({ tensors });
    await expect(openModel(options({ model: folder }))).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('NaN at position 3 of vivit.temporal_norm.weight'),
    });
    const files = readdirSync(join(scratch, 'austream'), { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => file.includes('new-'))).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  it('uses a temporary folder, removed on close, if the cache folder is not writable', async () => {
    const file = join(scratch, 'a-file');
    writeFileSync(file, '');
    vi.stubEnv('XDG_CACHE_HOME', file);
    const cache = new GraphCache('a test');
    vi.stubEnv('XDG_CACHE_HOME', scratch);
    expect(cache.folder.startsWith(tmpdir())).toBe(true);
    expect(statSync(cache.folder).isDirectory()).toBe(true);
    cache.close();
    expect(existsSync(cache.folder)).toBe(false);
  });
});
