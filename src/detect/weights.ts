import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AustreamError } from '../errors.ts';
import type { Parameters, Shape } from '../infer/model/ops.ts';
import { elements } from '../infer/model/shapes.ts';
import { fromHalf } from '../infer/weights/half.ts';
import { PACKAGED_NAMES, type PackagedModel } from './weight-names.ts';

interface Entry {
  readonly name: string;
  readonly shape: Shape;
  readonly quantization?: { readonly dtype: string };
}

/**
 * Parameters of a model that npm package @vladmandic/human carries (MediaPipe's, Apache-2.0, as TensorFlow.js graph
 * models), by the names that `blazeFace` and `faceMesh` read, in PyTorch's layout. Throws AustreamError
 * PREREQUISITE_MISSING where the package is not there.
 */
export function packagedParameters(model: PackagedModel): Parameters {
  const { entries, bytes } = readModel(model);
  const found = new Map<string, { entry: Entry; offset: number }>();
  let offset = 0;
  for (const entry of entries) {
    found.set(entry.name, { entry, offset });
    offset += elements(entry.shape) * valueBytes(entry);
  }
  return {
    read(name, shape) {
      const source = PACKAGED_NAMES[model].get(name);
      const value = source && found.get(source.name);
      if (!value || elements(value.entry.shape) !== elements(shape))
        throw new AustreamError('MODEL_INVALID', `${model} has no parameter ${name} of shape [${shape}]`);
      const values = toPyTorch(decode(bytes, value.offset, value.entry), value.entry.shape);
      return source.complement ? values.map((slope) => 1 - slope) : values;
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

function valueBytes(entry: Entry): number {
  return entry.quantization?.dtype === 'float16' ? 2 : 4;
}

function decode(bytes: Buffer, offset: number, entry: Entry): Float32Array {
  const from = bytes.byteOffset + offset;
  const copy = bytes.buffer.slice(from, from + elements(entry.shape) * valueBytes(entry));
  return valueBytes(entry) === 2 ? fromHalf(new Uint16Array(copy)) : new Float32Array(copy);
}

/** TensorFlow's (kh, kw, in, out), or (kh, kw, channels, 1) where depthwise → (out, in, kh, kw). */
function toPyTorch(values: Float32Array, shape: Shape): Float32Array {
  if (shape.length !== 4) return values;
  const [kh = 1, kw = 1, from = 1, to = 1] = shape;
  const cells = kh * kw;
  const result = new Float32Array(values.length);
  // A depthwise kernel becomes (channels, 1, kh, kw), laid out like one output of `channels` inputs.
  for (let cell = 0; cell < cells; cell++)
    for (let i = 0; i < from; i++)
      for (let o = 0; o < to; o++)
        result[(o * from + i) * cells + cell] = values[(cell * from + i) * to + o] as number;
  return result;
}
