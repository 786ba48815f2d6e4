import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { ELEMENT, type Element, type TensorProto, tensor } from './onnx-proto.ts';

/** Where a graph's constants go. */
export interface Initializers {
  add(name: string, element: Element, dims: readonly number[], data: Uint8Array): TensorProto;
}

/** All in the graph's own file: for graphs far below protobuf's 2 GB. */
export const inlineInitializers: Initializers = { add: tensor };

/** Below this a tensor stays in the graph, where shape inference can see it. */
const EXTERNAL_MIN_BYTES = 1024;
/** ONNX Runtime maps external data into memory; whole pages map best. */
const PAGE_BYTES = 4096;

/**
 * Large tensors go to a file beside the graph, written as they come, so that a model of any size is built in little
 * memory and only its pages that are read are loaded.
 */
export class ExternalInitializers implements Initializers {
  readonly #file: string;
  readonly #handle: number;
  readonly #hash = createHash('sha256');
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

  /** Returns the file's sha256. */
  close(): string {
    closeSync(this.#handle);
    return this.#hash.digest('hex');
  }

  #append(data: Uint8Array): void {
    for (let done = 0; done < data.length; )
      done += writeSync(this.#handle, data, done, Math.min(data.length - done, 1 << 30));
    this.#hash.update(data);
    this.#length += data.length;
  }
}
