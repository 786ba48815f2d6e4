import type { Ops, Parameters, Shape } from '../../model/ops.ts';
import { GraphBuilder } from './graph-builder.ts';
import { type Initializers, inlineInitializers } from './initializers.ts';
import { encodeModel } from './onnx-proto.ts';
import { type GraphPrecision, OnnxOps, type Value } from './ops.ts';

export interface GraphOptions<Inputs extends string> {
  readonly name: string;
  /** Element type and shape of each input; the first dimension may be BATCH. */
  readonly inputs: Readonly<Record<Inputs, { readonly element: 'uint8' | 'float'; readonly shape: Shape }>>;
  readonly parameters: Parameters;
  readonly precision?: GraphPrecision;
  /** Where constants are stored. Default: inline in the .onnx file. */
  readonly initializers?: Initializers;
  /** Metadata properties of the .onnx file. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Emits the ONNX graph of an architecture written over `Ops`. Outputs are fp32 in every precision.
 *
 * @returns the bytes of an .onnx file
 */
export function emitGraph<Inputs extends string>(
  options: GraphOptions<Inputs>,
  describe: (ops: Ops<Value>, inputs: Readonly<Record<Inputs, Value>>) => Readonly<Record<string, Value>>,
): Uint8Array {
  const { parameters, initializers = inlineInitializers, precision = 'fp32' } = options;
  const graph = new GraphBuilder(initializers, precision === 'fp16' ? 'float16' : 'float');
  const ops = new OnnxOps(graph, parameters, precision);
  const declared = Object.entries(options.inputs) as [Inputs, { element: 'uint8' | 'float'; shape: Shape }][];
  const inputs = Object.fromEntries(
    declared.map(([name, { element, shape }]) => [name, ops.input(name, element, shape)]),
  ) as Record<Inputs, Value>;
  const outputs = Object.entries(describe(ops, inputs));
  for (const [name, value] of outputs) graph.cast(value.name, 'float', name);
  return encodeModel({
    name: options.name,
    nodes: graph.nodes,
    initializers: graph.initializers,
    inputs: declared.map(([name, { element, shape }]) => ({ name, element, shape })),
    outputs: outputs.map(([name, { shape }]) => ({ name, element: 'float', shape })),
    metadata: options.metadata ?? {},
  });
}
