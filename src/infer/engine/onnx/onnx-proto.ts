import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { elementCount } from '../../model/shapes.ts';

/** TensorProto.DataType of ONNX. */
export const ELEMENT = { float: 1, uint8: 2, int8: 3, int64: 7, float16: 10 } as const;
export type Element = keyof typeof ELEMENT;
const ELEMENT_BYTES: Record<Element, number> = { float: 4, uint8: 1, int8: 1, int64: 8, float16: 2 };

export interface TensorProto {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data_type: number;
  readonly raw_data?: Uint8Array;
  readonly external_data?: readonly { key: string; value: string }[];
  readonly data_location?: number;
}

export interface NodeProto {
  readonly op_type: string;
  readonly name: string;
  readonly domain?: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly object[];
}

export interface ValueInfo {
  readonly name: string;
  readonly element: Element;
  /** The first dimension may be BATCH. */
  readonly shape: readonly number[];
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly metadata: Readonly<Record<string, string>>;
}

const schema = protobuf.parse(readFileSync(new URL('onnx.proto', import.meta.url), 'utf8'), {
  keepCase: true,
}).root;

/** A plain number is an INT attribute. */
export type AttributeValue = number | readonly number[] | { readonly float: number };

export function attribute(name: string, value: AttributeValue): object {
  if (typeof value === 'number') return { name, i: value, type: 2 };
  if ('float' in value) return { name, f: value.float, type: 1 };
  return { name, ints: value, type: 7 };
}

/** A tensor with inline data. Throws RangeError if `data` does not fit `dims`. */
export function tensor(
  name: string,
  element: Element,
  dims: readonly number[],
  data: Uint8Array,
): TensorProto {
  if (data.length !== elementCount(dims) * ELEMENT_BYTES[element])
    throw new RangeError(`${name} [${dims}] of ${element} has ${data.length} bytes`);
  return { name, dims, data_type: ELEMENT[element], raw_data: data };
}

/** The bytes of an .onnx file: IR version 9, opset 20, and ONNX Runtime's contrib operators (com.microsoft). */
export function encodeModel(graph: Graph): Uint8Array {
  const type = schema.lookupType('onnx.ModelProto');
  const info = ({ name, element, shape }: ValueInfo) => ({
    name,
    type: {
      tensor_type: {
        elem_type: ELEMENT[element],
        shape: { dim: shape.map((size) => (size < 0 ? { dim_param: 'batch' } : { dim_value: size })) },
      },
    },
  });
  return type
    .encode({
      ir_version: 9,
      producer_name: 'austream',
      opset_import: [
        { domain: '', version: 20 },
        { domain: 'com.microsoft', version: 1 },
      ],
      metadata_props: Object.entries(graph.metadata).map(([key, value]) => ({ key, value })),
      graph: {
        name: graph.name,
        node: graph.nodes,
        initializer: graph.initializers,
        input: graph.inputs.map(info),
        output: graph.outputs.map(info),
      },
    })
    .finish();
}
