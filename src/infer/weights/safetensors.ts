import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import { AustreamError } from '../../errors.ts';
import type { Shape } from '../model/ops.ts';
import { elementCount } from '../model/shapes.ts';
import { float16ToFloat32 } from './float16.ts';

const DTYPE_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2 } as const;
type FloatType = keyof typeof DTYPE_BYTES;

/** The format allows 100 MB; the headers of our largest architectures have 0.1 MB. */
const MAX_HEADER_BYTES = 8 << 20;
const MAX_TENSORS = 10_000;
const MAX_NAME_LENGTH = 512;
const MAX_DIMENSIONS = 8;

const tensorEntry = z.object({
  dtype: z.string().max(16),
  shape: z.array(z.int().min(0)).max(MAX_DIMENSIONS),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
type TensorEntry = z.output<typeof tensorEntry>;

/**
 * A .safetensors file (github.com/huggingface/safetensors): header length (8 bytes, little endian), JSON header, tensor
 * data. Tensors are read from the disk on demand, so that a model of any size opens in little memory.
 */
export class Safetensors {
  readonly file: string;
  readonly #handle: number;
  readonly #dataStart: number;
  readonly #entries: ReadonlyMap<string, TensorEntry>;

  /** Throws MODEL_NOT_FOUND if the file cannot be opened, MODEL_INVALID if it is truncated or another format. */
  constructor(file: string) {
    this.file = file;
    this.#handle = open(file);
    try {
      const stat = fstatSync(this.#handle);
      const { size } = stat;
      if (!stat.isFile()) throw this.#invalid('is not a file');
      const length = size < 8 ? 0 : Number(this.#readBytes(0, 8).readBigUInt64LE());
      if (length === 0 || length > MAX_HEADER_BYTES)
        throw this.#invalid('is not a .safetensors file, or its header is longer than 8 MiB');
      this.#dataStart = 8 + length;
      if (this.#dataStart > size) throw this.#truncated(this.#dataStart, size);
      this.#entries = this.#parseHeader(this.#readBytes(8, length).toString());
      const end = [...this.#entries.values()].reduce(
        (last, { data_offsets }) => Math.max(last, data_offsets[1]),
        0,
      );
      if (this.#dataStart + end > size) throw this.#truncated(this.#dataStart + end, size);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Shape of every tensor by name, of any dtype. */
  get shapes(): ReadonlyMap<string, Shape> {
    return new Map([...this.#entries].map(([name, { shape }]) => [name, shape]));
  }

  /** The tensor's values in fp32. Throws MODEL_INVALID if one is not finite or the dtype is not floating-point. */
  read(name: string): Float32Array {
    const { dtype, shape, data_offsets } = this.#entries.get(name)!;
    if (!Object.hasOwn(DTYPE_BYTES, dtype))
      throw this.#invalid(`holds ${name} as ${dtype}; weights must be F16, BF16, F32 or F64`);
    const [start, end] = data_offsets;
    if (end - start !== elementCount(shape) * DTYPE_BYTES[dtype as FloatType])
      throw this.#invalid(`holds ${name} [${shape}] of ${dtype} in ${end - start} bytes`);
    const values = decode(dtype as FloatType, this.#readBytes(this.#dataStart + start, end - start));
    for (let i = 0; i < values.length; i++)
      if (!Number.isFinite(values[i])) throw this.#invalid(`holds ${values[i]} at position ${i} of ${name}`);
    return values;
  }

  close(): void {
    closeSync(this.#handle);
  }

  #parseHeader(text: string): ReadonlyMap<string, TensorEntry> {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw this.#invalid('is not a .safetensors file: its header is not JSON');
    }
    if (json === null || typeof json !== 'object' || Array.isArray(json))
      throw this.#invalid('has a header that is no JSON object');
    const { __metadata__: _, ...tensors } = json as Record<string, unknown>;
    const names = Object.keys(tensors);
    if (names.length > MAX_TENSORS)
      throw this.#invalid(`has ${names.length} tensors, more than ${MAX_TENSORS}`);
    if (names.some((name) => name.length > MAX_NAME_LENGTH))
      throw this.#invalid(`has a tensor whose name is longer than ${MAX_NAME_LENGTH} characters`);
    const result = z.record(z.string(), tensorEntry).safeParse(tensors);
    if (!result.success) throw this.#invalid('has an invalid header');
    return new Map(Object.entries(result.data));
  }

  #readBytes(position: number, length: number): Buffer {
    const buffer = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const count = readSync(this.#handle, buffer, done, Math.min(length - done, 1 << 30), position + done);
      if (count === 0) throw this.#truncated(position + length, position + done);
      done += count;
    }
    return buffer;
  }

  #truncated(expected: number, actual: number): AustreamError {
    return this.#invalid(`is truncated: it has ${actual} bytes instead of ${expected}`);
  }

  #invalid(problem: string): AustreamError {
    return new AustreamError('MODEL_INVALID', `${this.file} ${problem}`, {
      fix: 'download or export the weights again, then run: austream model verify',
    });
  }
}

function open(file: string): number {
  try {
    // Non-blocking: opening a pipe would wait for its writer forever.
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new AustreamError(
      'MODEL_NOT_FOUND',
      `${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`,
      { fix: 'copy the weights that model.json names into its folder', cause },
    );
  }
}

function decode(type: FloatType, bytes: Buffer): Float32Array {
  const { buffer, byteOffset, length } = bytes;
  switch (type) {
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, length / 8));
    case 'F32':
      return new Float32Array(buffer, byteOffset, length / 4);
    case 'F16':
      return float16ToFloat32(new Uint16Array(buffer, byteOffset, length / 2));
    case 'BF16': {
      // bfloat16 is the upper 16 bits of float32.
      const words = Uint32Array.from(new Uint16Array(buffer, byteOffset, length / 2), (bits) => bits << 16);
      return new Float32Array(words.buffer);
    }
  }
}
