import { closeSync, openSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { ELEMENT, type Element, type TensorProto, tensor } from './onnx-proto.ts';

/** Stores a graph's initializers (constants). */
export interface Initializers {
  add(name: string, element: Element, dims: readonly number[], data: Uint8Array): TensorProto;
}

/** Stores constants inline in the .onnx file, which protobuf limits to 2 GB. */
export const inlineInitializers: Initializers = { add: tensor };

/** Smaller tensors stay inline, where ONNX's shape inference can read them. */
const EXTERNAL_MIN_BYTES = 1024;
/** Alignment of external data, which ONNX Runtime maps into memory by page. */
const PAGE_BYTES = 4096;

/**
 * Stores large tensors as ONNX external data in a file beside the graph, written one by one, so that building a model
 * of any size takes little memory.
 */
export class ExternalInitializers implements Initializers {
  readonly #file: string;
  readonly #handle: number;
  #length = 0;

  constructor(file: string) {
    this.#file = basename(file);
    this.#handle = openSync(file, 'w');
  }

  add(name: string, element: Element, dims: readonly number[], data: Uint8Array): TensorProto {
    if (data.length < EXTERNAL_MIN_BYTES) return tensor(name, element, dims, data);
    const { raw_data: _, ...external } = tensor(name, element, dims, data);
    this.#append(new Uint8Array((PAGE_BYTES - (this.#length % PAGE_BYTES)) % PAGE_BYTES));
    const offset = this.#length;
    this.#append(data);
    return {
      ...external,
      data_type: ELEMENT[element],
      data_location: 1,
      external_data: [
        { key: 'location', value: this.#file },
        { key: 'offset', value: String(offset) },
        { key: 'length', value: String(data.length) },
      ],
    };
  }

  close(): void {
    closeSync(this.#handle);
  }

  #append(data: Uint8Array): void {
    for (let done = 0; done < data.length; )
      done += writeSync(this.#handle, data, done, Math.min(data.length - done, 1 << 30));
    this.#length += data.length;
  }
}
