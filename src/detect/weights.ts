import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AustreamError } from '../errors.ts';
import type { Parameters, Shape } from '../infer/model/ops.ts';
import { elementCount } from '../infer/model/shapes.ts';
import { float16ToFloat32 } from '../infer/weights/float16.ts';
import { type FaceNetwork, STORED_NAMES } from './weight-names.ts';

/** One tensor of the weights manifest; tensors follow each other in the .bin file. */
interface Entry {
  readonly name: string;
  readonly shape: Shape;
  readonly quantization?: { readonly dtype: string };
}

/** TensorFlow.js graph models; the README of the folder names their source and licence. */
const FOLDER = fileURLToPath(new URL('../../models/face/', import.meta.url));
const RESTORE = 'restore the folder models/face from the repository or the image';

/**
 * Parameters of a MediaPipe model in `models/face`. Names are those that `blazeFace` and `faceMesh` read; the layout is
 * PyTorch's.
 *
 * Throws AustreamError PREREQUISITE_MISSING when its files cannot be read, MODEL_INVALID when they do not belong
 * together. `read` throws MODEL_INVALID when the model has no parameter of that name and size.
 */
export function faceParameters(model: FaceNetwork): Parameters {
  const { entries, bytes } = readModel(model);
  const located = new Map<string, { entry: Entry; offset: number }>();
  let offset = 0;
  for (const entry of entries) {
    located.set(entry.name, { entry, offset });
    offset += elementCount(entry.shape) * bytesPerValue(entry);
  }
  if (offset !== bytes.length)
    throw new AustreamError(
      'MODEL_INVALID',
      `${FOLDER}${model}.bin has ${bytes.length} bytes; ${model}.json describes ${offset}`,
      { fix: RESTORE },
    );
  return {
    read(name, shape) {
      const source = STORED_NAMES[model].get(name);
      const value = source && located.get(source.name);
      if (!value || elementCount(value.entry.shape) !== elementCount(shape))
        throw new AustreamError('MODEL_INVALID', `${model} has no parameter ${name} of shape [${shape}]`);
      const values = toPyTorch(decode(bytes, value.offset, value.entry), value.entry.shape);
      return source.complement ? values.map((value) => 1 - value) : values;
    },
  };
}

function readModel(model: FaceNetwork): { entries: readonly Entry[]; bytes: Buffer } {
  try {
    const { weightsManifest } = JSON.parse(readFileSync(`${FOLDER}${model}.json`, 'utf8'));
    return { entries: weightsManifest[0].weights, bytes: readFileSync(`${FOLDER}${model}.bin`) };
  } catch (cause) {
    throw new AustreamError(
      'PREREQUISITE_MISSING',
      `the face detector's weights (${FOLDER}${model}.json and .bin) cannot be read`,
      { fix: RESTORE, cause },
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
