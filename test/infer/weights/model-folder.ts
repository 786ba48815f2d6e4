import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AU_NAMES } from '../../../src/domain/scores.ts';
import { architectureSchema } from '../../../src/infer/model/architecture.ts';
import { parameterManifest } from '../../../src/infer/model/parameter-manifest.ts';
import { randomWeights } from '../../../src/infer/weights/random-weights.ts';

/** The smallest architecture with every kind of layer. */
export const TINY = architectureSchema.parse({
  stem: 8,
  depths: [1, 1, 1, 2],
  widths: [8, 16, 16, 24],
  groupWidth: 8,
  vivit: { dim: 16, heads: 2, mlp: 24, spatialLayers: 1, temporalLayers: 1 },
  nguyen: { heads: 3, mlp: 16, encoderLayers: 1, decoderLayers: 1 },
});

export type Tensors = Map<string, { dtype: string; shape: readonly number[]; bytes: Uint8Array }>;

export function float32Tensor(values: Float32Array, shape: readonly number[]) {
  return { dtype: 'F32', shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** Every parameter of TINY, with random weights. */
export function tinyTensors(): Tensors {
  const { parameters } = parameterManifest(TINY);
  return new Map(
    [...parameters].map(([name, shape]) => [name, float32Tensor(randomWeights.read(name, shape), shape)]),
  );
}

/** The bytes of a .safetensors file. */
export function encodeSafetensors(tensors: Tensors): Buffer {
  let offset = 0;
  const header = Object.fromEntries(
    [...tensors].map(([name, { dtype, shape, bytes }]) => {
      const data_offsets = [offset, offset + bytes.length];
      offset += bytes.length;
      return [name, { dtype, shape, data_offsets }];
    }),
  );
  const text = Buffer.from(JSON.stringify({ __metadata__: { format: 'pt' }, ...header }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...[...tensors.values()].map(({ bytes }) => bytes)]);
}

/**
 * Creates a model folder. `file` changes the weights after their checksum was taken; `manifest` overrides model.json.
 */
export function modelFolder({
  tensors = tinyTensors(),
  file,
  manifest = {},
}: {
  tensors?: Tensors;
  file?: (bytes: Buffer) => Buffer;
  manifest?: object;
} = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'austream-model-'));
  const bytes = encodeSafetensors(tensors);
  writeFileSync(join(folder, 'weights.safetensors'), file ? file(bytes) : bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const json = {
    name: 'tiny',
    version: '1',
    preset: 'custom',
    architecture: TINY,
    trained: false,
    aus: AU_NAMES,
    weights: [{ file: 'weights.safetensors', bytes: bytes.length, sha256 }],
    ...manifest,
  };
  writeFileSync(join(folder, 'model.json'), JSON.stringify(json));
  return folder;
}
