import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AustreamError } from '../errors.ts';
import type { Parameters, Shape } from '../infer/model/ops.ts';
import { elementCount } from '../infer/model/shapes.ts';
import { float16ToFloat32 } from '../infer/weights/float16.ts';
import { PACKAGED_NAMES, type PackagedModel } from './weight-names.ts';

/** One tensor of the weights manifest; tensors follow each other in the .bin file. */
interface Entry {
  readonly name: string;
  readonly shape: Shape;
  readonly quantization?: { readonly dtype: string };
}

/**
 * Parameters of a MediaPipe model (Apache-2.0) from npm package @vladmandic/human, which ships TensorFlow.js graph
 * models. Names are those that `blazeFace` and `faceMesh` read; the layout is PyTorch's.
 *
 * Throws AustreamError PREREQUISITE_MISSING when the package is not installed. `read` throws MODEL_INVALID when the
 * model has no parameter of that name and size.
 */
export function packagedParameters(model: PackagedModel): Parameters {
  const { entries, bytes } = readModel(model);
  const located = new Map<string, { entry: Entry; offset: number }>();
  let offset = 0;
  for (const entry of entries) {
    located.set(entry.name, { entry, offset });
    offset += elementCount(entry.shape) * bytesPerValue(entry);
  }
  return {
    read(name, shape) {
      const source = PACKAGED_NAMES[model].get(name);
      const value = source && located.get(source.name);
      if (!value || elementCount(value.entry.shape) !== elementCount(shape))
        throw new AustreamError('MODEL_INVALID', `${model} has no parameter ${name} of shape [${shape}]`);
      const values = toPyTorch(decode(bytes, value.offset, value.entry), value.entry.shape);
      return source.complement ? values.map((value) => 1 - value) : values;
    },
  };
}

function readModel(model: PackagedModel): { entries: readonly Entry[]; bytes: Buffer } {
  try {
    const script = createRequire(import.meta.url).resolve('@vladmandic/human');
    const folder = join(dirname(script), '..', 'models');
    const { weightsManifest } = JSON.parse(readFileSync(join(folder, `${model}.json`), 'utf8'));
    return { entries: weightsManifest[0].weights, bytes: readFileSync(join(folder, `${model}.bin`)) };
  } catch (cause) {
    throw new AustreamError(
      'PREREQUISITE_MISSING',
      `the face detector's weights (${model} of npm package @vladmandic/human) cannot be read`,
      { fix: 'run make setup, or npm ci', cause },
    );
  }
}

function bytesPerValue(entry: Entry): number {
  return entry.quantization?.dtype === 'float16' ? 2 : 4;
}

function decode(bytes: Buffer, offset: number, entry: Entry): Float32Array {
  const start = bytes.byteOffset + offset;
  const copy = bytes.buffer.slice(start, start + elementCount(entry.shape) * bytesPerValue(entry));
  return bytesPerValue(entry) === 2 ? float16ToFloat32(new Uint16Array(copy)) : new Float32Array(copy);
}

/** TensorFlow's kernel (kh, kw, in, out), depthwise (kh, kw, channels, 1), to PyTorch's (out, in, kh, kw). */
function toPyTorch(values: Float32Array, shape: Shape): Float32Array {
  if (shape.length !== 4) return values;
  const [kh = 1, kw = 1, inputs = 1, outputs = 1] = shape;
  const taps = kh * kw;
  const result = new Float32Array(values.length);
  // A depthwise kernel becomes (channels, 1, kh, kw), the same memory layout as (1, channels, kh, kw).
  for (let tap = 0; tap < taps; tap++)
    for (let i = 0; i < inputs; i++)
      for (let o = 0; o < outputs; o++)
        result[(o * inputs + i) * taps + tap] = values[(tap * inputs + i) * outputs + o] as number;
  return result;
}
