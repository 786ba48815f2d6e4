import { readdirSync, readlinkSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { AU_NAMES } from '../../../src/domain/scores.ts';
import { AustreamError } from '../../../src/errors.ts';
import { PRESETS } from '../../../src/infer/model/architecture.ts';
import { parameterManifest } from '../../../src/infer/model/parameter-manifest.ts';
import { Checkpoint } from '../../../src/infer/weights/checkpoint.ts';
import { float32ToFloat16 } from '../../../src/infer/weights/float16.ts';
import { readManifest } from '../../../src/infer/weights/manifest.ts';
import { randomWeights } from '../../../src/infer/weights/random-weights.ts';
import { float32Tensor, modelFolder, TINY, tinyTensors } from './model-folder.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) {
    expect(openFiles(folder)).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Files in a folder that this process has open. */
function openFiles(folder: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(folder) ? [path] : [];
    } catch {
      return []; // the file descriptor of readdir itself
    }
  });
}

function folder(options?: Parameters<typeof modelFolder>[0]): string {
  folders.push(modelFolder(options));
  return folders.at(-1)!;
}

async function open(path: string): Promise<Checkpoint> {
  return Checkpoint.open(readManifest(path));
}

async function openError(path: string): Promise<AustreamError> {
  const error = await open(path).then(
    (checkpoint) => {
      checkpoint.close();
      throw new Error('the checkpoint opened without an error');
    },
    (error) => error,
  );
  expect(error).toBeInstanceOf(AustreamError);
  expect(error.fix).toBeTruthy();
  return error;
}

describe('a checkpoint', () => {
  it('reads every parameter of the architecture in fp32', async () => {
    const checkpoint = await open(folder());
    for (const [name, shape] of parameterManifest(TINY).parameters)
      expect(checkpoint.read(name, shape)).toEqual(randomWeights.read(name, shape));
    checkpoint.close();
  });

  it('reads half precision, bfloat16 and double precision', async () => {
    const tensors = tinyTensors();
    const values = Float32Array.of(...Array.from({ length: 12 }, (_, i) => (i - 6) / 8)); // exact in all
    const upper = Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16);
    const encoded = { F16: float32ToFloat16(values), BF16: upper, F64: Float64Array.from(values) };
    for (const [dtype, data] of Object.entries(encoded)) {
      tensors.set('vivit.head.bias', { dtype, shape: [12], bytes: new Uint8Array(data.buffer) });
      const checkpoint = await open(folder({ tensors }));
      expect(checkpoint.read('vivit.head.bias', [12])).toEqual(values);
      checkpoint.close();
    }
  });

  it("ignores PyTorch's num_batches_tracked", async () => {
    const tensors = tinyTensors();
    tensors.set('backbone.stem.bn.num_batches_tracked', {
      dtype: 'I64',
      shape: [],
      bytes: new Uint8Array(8),
    });
    (await open(folder({ tensors }))).close();
  });

  it('maps names by the longest prefix, and leaves out tensors mapped to null', async () => {
    const tensors = new Map(
      [...tinyTensors()].map(([name, tensor]) => [name.replace(/^backbone\./, 'timm.'), tensor]),
    );
    tensors.set('timm.head.fc.bias', float32Tensor(new Float32Array(2), [2]));
    const path = folder({ tensors });
    const manifest = readManifest(path);
    const [weights] = manifest.weights;
    const names = { 'timm.': 'backbone.', 'timm.head.': null };
    const checkpoint = await Checkpoint.open({ ...manifest, weights: [{ ...weights!, names }] });
    expect(checkpoint.read('backbone.stem.bn.bias', [8])).toEqual(
      randomWeights.read('backbone.stem.bn.bias', [8]),
    );
    checkpoint.close();
  });

  it('throws MODEL_INVALID and lists missing tensors, wrong shapes and unknown tensors', async () => {
    const tensors = tinyTensors();
    tensors.delete('vivit.head.weight');
    tensors.set('nguyen.fusion.2.bias', float32Tensor(new Float32Array(11), [11]));
    tensors.set('emotion.head.weight', float32Tensor(new Float32Array(4), [4]));
    const error = await openError(folder({ tensors }));
    expect(error.code).toBe('MODEL_INVALID');
    expect(error.message).toContain('1 missing:\n      vivit.head.weight [12,16]');
    expect(error.message).toContain('1 with another shape:\n      nguyen.fusion.2.bias is [11], not [12]');
    expect(error.message).toContain('1 unknown:\n      emotion.head.weight');
  });

  it('throws a short error if it belongs to another preset', async () => {
    const error = await openError(folder({ manifest: { preset: 'paper', architecture: undefined } }));
    expect(error.code).toBe('MODEL_INVALID');
    expect(error.message).toMatch(/preset paper:\n\s+\d+ missing:/);
    expect(error.message.split('\n').length).toBeLessThan(45);
  });

  it.each([
    ['truncated', (bytes: Buffer) => bytes.subarray(0, bytes.length - 100), /is truncated/],
    ['truncated in its header', (bytes: Buffer) => bytes.subarray(0, 50), /is truncated/],
    ['empty', () => Buffer.alloc(0), /not a \.safetensors file/],
    [
      'another file format',
      () => Buffer.from('<!doctype html><html>not found</html>'),
      /not a \.safetensors/,
    ],
    [
      'longer than model.json says',
      (bytes: Buffer) => Buffer.concat([bytes, bytes]),
      /bytes, model\.json says/,
    ],
    [
      'changed by one bit',
      (bytes: Buffer) => {
        const changed = Buffer.from(bytes);
        changed[changed.length - 1]! ^= 1;
        return changed;
      },
      /has sha256 [0-9a-f]{64}, model\.json says/,
    ],
  ])('throws MODEL_INVALID if its file is %s', async (_, file, message) => {
    const error = await openError(folder({ file }));
    expect(error.code).toBe('MODEL_INVALID');
    expect(error.message).toMatch(message);
  });

  it('throws MODEL_NOT_FOUND if its file is missing', async () => {
    const path = folder();
    unlinkSync(join(path, 'weights.safetensors'));
    expect((await openError(path)).code).toBe('MODEL_NOT_FOUND');
  });

  it.each([NaN, Infinity, -Infinity])('names the tensor and position of a weight that is %s', async (bad) => {
    const tensors = tinyTensors();
    const values = randomWeights.read('vivit.head.weight', [12, 16]);
    values[37] = bad;
    tensors.set('vivit.head.weight', float32Tensor(values, [12, 16]));
    const checkpoint = await open(folder({ tensors }));
    expect(() => checkpoint.readAll()).toThrow(`${bad} at position 37 of vivit.head.weight`);
    checkpoint.close();
  });

  it('throws if weights are integers', async () => {
    const tensors = tinyTensors();
    tensors.set('vivit.head.bias', { dtype: 'I8', shape: [12], bytes: new Uint8Array(12) });
    const checkpoint = await open(folder({ tensors }));
    expect(() => checkpoint.read('vivit.head.bias', [12])).toThrow(/vivit\.head\.bias as I8/);
    checkpoint.close();
  });
});

describe('model.json', () => {
  const invalidManifests: [string, object, RegExp][] = [
    ['an unknown preset', { preset: 'huge' }, /preset: /],
    ['no architecture for custom', { architecture: undefined }, /architecture: is required/],
    [
      'heads that do not divide',
      { architecture: { ...TINY, vivit: { ...TINY.vivit, heads: 3 } } },
      /must divide/,
    ],
    ['AUs in another order', { aus: [...AU_NAMES].reverse() }, /in this order/],
    ['a threshold too high', { thresholds: { au01: 2 } }, /thresholds\.au01/],
    ['σ 0', { smoothing: { causal: 0, centered: 3 } }, /smoothing\.causal/],
    [
      'a path for a file',
      { weights: [{ file: '../w', bytes: 1, sha256: 'ab' }] },
      /weights\.0\.file.*\n.*sha256/,
    ],
    [
      'an architecture that contradicts its preset',
      { preset: 'edge', architecture: { ...PRESETS.edge, stem: 24 } },
      /architecture\.stem: is 24, but preset edge has 32/,
    ],
  ];
  it.each(invalidManifests)('throws on %s', (_, manifest, message) => {
    const path = folder({ manifest });
    expect(() => readManifest(path)).toThrow(AustreamError);
    expect(() => readManifest(path)).toThrow(message);
  });

  it('throws MODEL_INVALID if it is not JSON, MODEL_NOT_FOUND if it is missing', () => {
    const path = folder();
    writeFileSync(join(path, 'model.json'), '{');
    expect(() => readManifest(path)).toThrow(/not a valid model\.json/);
    unlinkSync(join(path, 'model.json'));
    expect(() => readManifest(path)).toThrow(expect.objectContaining({ code: 'MODEL_NOT_FOUND' }));
  });
});
