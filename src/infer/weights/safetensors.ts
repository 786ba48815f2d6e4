import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import { AustreamError } from '../../errors.ts';
import type { Shape } from '../model/ops.ts';
import { elementCount } from '../model/shapes.ts';
import { float16ToFloat32 } from './float16.ts';

const DTYPE_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2 } as const;
type FloatType = keyof typeof DTYPE_BYTES;

const tensorEntry = z.object({
  dtype: z.string(),
  shape: z.array(z.number().int().min(0)),
  data_offsets: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
});
type TensorEntry = z.output<typeof tensorEntry>;

/** No header is anywhere near this long; a longer one is another kind of file. */
const MAX_HEADER_BYTES = 100 << 20;

/**
 * A .safetensors file (github.com/huggingface/safetensors): eight bytes of header length, a JSON header, the tensors'
 * bytes. Tensors are read from the disk when asked for, so that a model of any size opens in little memory.
 */
export class Safetensors {
  readonly file: string;
  readonly #handle: number;
  readonly #dataStart: number;
  readonly #entries: ReadonlyMap<string, TensorEntry>;

  /** Throws MODEL_INVALID where the file is no whole .safetensors file, MODEL_NOT_FOUND where there is none. */
  constructor(file: string) {
    this.file = file;
    this.#handle = open(file);
    try {
      const size = fstatSync(this.#handle).size;
      const length = size < 8 ? 0 : Number(this.#readBytes(0, 8).readBigUInt64LE());
      if (length === 0 || length > MAX_HEADER_BYTES) throw this.#invalid('is not a .safetensors file');
      this.#dataStart = 8 + length;
      if (this.#dataStart > size) throw this.#truncated(this.#dataStart, size);
      this.#entries = this.#parseHeader(this.#readBytes(8, length).toString());
      const end = Math.max(0, ...[...this.#entries.values()].map(({ data_offsets }) => data_offsets[1]));
      if (this.#dataStart + end > size) throw this.#truncated(this.#dataStart + end, size);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Shape of every tensor of floating-point numbers or, by name, of another kind. */
  get shapes(): ReadonlyMap<string, Shape> {
    return new Map([...this.#entries].map(([name, { shape }]) => [name, shape]));
  }

  /** The values in fp32. Throws MODEL_INVALID where one is not finite or the tensor holds no floats. */
  read(name: string): Float32Array {
    const { dtype, shape, data_offsets } = this.#entries.get(name)!;
    if (!(dtype in DTYPE_BYTES))
      throw this.#invalid(`holds ${name} as ${dtype}; weights must be F16, BF16, F32 or F64`);
    const [from, to] = data_offsets;
    if (to - from !== elementCount(shape) * DTYPE_BYTES[dtype as FloatType])
      throw this.#invalid(`holds ${name} [${shape}] of ${dtype} in ${to - from} bytes`);
    const values = decode(dtype as FloatType, this.#readBytes(this.#dataStart + from, to - from));
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
      throw this.#invalid('is not a .safetensors file: its header is no JSON');
    }
    const { __metadata__: _, ...tensors } = json as Record<string, unknown>;
    const result = z.record(z.string(), tensorEntry).safeParse(tensors);
    if (!result.success) throw this.#invalid('has a header that describes no tensors');
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

  #truncated(want: number, have: number): AustreamError {
    return this.#invalid(`is cut off: it has ${have} bytes and should have ${want}`);
  }

  #invalid(what: string): AustreamError {
    return new AustreamError('MODEL_INVALID', `${this.file} ${what}`, {
      fix: 'fetch or export the weights again, then run: austream model verify',
    });
  }
}

function open(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (cause) {
    throw new AustreamError(
      'MODEL_NOT_FOUND',
      `${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`,
      { fix: 'put the weights that model.json names beside it', cause },
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
      // The upper half of a float.
      const words = Uint32Array.from(new Uint16Array(buffer, byteOffset, length / 2), (bits) => bits << 16);
      return new Float32Array(words.buffer);
    }
  }
}
