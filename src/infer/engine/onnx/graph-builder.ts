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

/** Collects the nodes and initializers (constants) of an ONNX graph; equal constants are stored once. */
export class GraphBuilder {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  /** Floating-point type in which the graph computes. */
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

  /** A constant in the graph's floating-point type. `name` and `shape` identify it. */
  floats(name: string, shape: Shape, values: () => Float32Array): string {
    const half = this.element === 'float16';
    return this.initializer(name, this.element, shape, () =>
      bytes(half ? float32ToFloat16(values()) : values()),
    );
  }

  /** A one-dimensional int64 constant, such as axes, shapes and pads. */
  integers(values: readonly number[]): string {
    const data = () => bytes(BigInt64Array.from(values, BigInt));
    return this.initializer(`int64.${values.join()}`, 'int64', [values.length], data);
  }

  /** A constant of any type. `key` and `dims` identify it; `data` is called at most once. Returns its name. */
  initializer(key: string, element: Element, dims: Shape, data: () => Uint8Array): string {
    const full = `${key} [${dims}]`;
    const existing = this.#namesByKey.get(full);
    if (existing) return existing;
    const name = key.length < 100 ? full : `constant ${this.#namesByKey.size}`;
    this.#namesByKey.set(full, name);
    this.initializers.push(this.#initializerStore.add(name, element, dims, data()));
    return name;
  }
}

/** The bytes of a typed array; a view. */
export function bytes(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
