import type { Shape } from '../../model/ops.ts';
import { float32ToFloat16 } from '../../weights/float16.ts';
import type { Initializers } from './initializers.ts';
import {
  type AttributeValue,
  attribute,
  ELEMENT,
  type Element,
  type NodeProto,
  type TensorProto,
} from './onnx-proto.ts';

/** Nodes and constants of a graph that grows; equal constants are kept once. */
export class GraphBuilder {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  /** Type of the numbers in which the graph computes. */
  readonly element: 'float' | 'float16';
  readonly #initializerStore: Initializers;
  readonly #namesByKey = new Map<string, string>();

  constructor(store: Initializers, element: 'float' | 'float16') {
    this.#initializerStore = store;
    this.element = element;
  }

  /** Appends an operator; returns its output's name. */
  node(
    type: string,
    input: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    domain = '',
    output = `${type}_${this.nodes.length}`,
  ): string {
    this.nodes.push({
      op_type: type,
      name: output,
      domain,
      input,
      output: [output],
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return output;
  }

  cast(x: string, to: Element, output?: string): string {
    return this.node('Cast', [x], { to: ELEMENT[to] }, '', output);
  }

  /** A constant in the type in which the graph computes. `name` and `shape` tell constants apart. */
  floats(name: string, shape: Shape, values: () => Float32Array): string {
    const half = this.element === 'float16';
    return this.initializer(name, this.element, shape, () =>
      bytes(half ? float32ToFloat16(values()) : values()),
    );
  }

  integers(values: readonly number[]): string {
    const data = () => bytes(BigInt64Array.from(values, BigInt));
    return this.initializer(`int64.${values.join()}`, 'int64', [values.length], data);
  }

  initializer(key: string, element: Element, dims: Shape, data: () => Uint8Array): string {
    const full = `${key} [${dims}]`;
    const known = this.#namesByKey.get(full);
    if (known) return known;
    const name = key.length < 100 ? full : `constant ${this.#namesByKey.size}`;
    this.#namesByKey.set(full, name);
    this.initializers.push(this.#initializerStore.add(name, element, dims, data()));
    return name;
  }
}

/** The memory of a typed array. */
export function bytes(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
