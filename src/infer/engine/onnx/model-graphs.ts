import { CROP_SIZE } from '../../../domain/face.ts';
import { type Architecture, embeddingSize, WINDOW_SIZE } from '../../model/architecture.ts';
import { frameEncoder, windowEncoder } from '../../model/ensemble.ts';
import { BATCH, type Parameters, type Shape, type Weights } from '../../model/ops.ts';
import { parameterManifest } from '../../model/parameter-manifest.ts';
import { elementCount } from '../../model/shapes.ts';
import type { Progress } from '../model.ts';
import { emitGraph } from './emit-graph.ts';
import type { Initializers } from './initializers.ts';
import type { GraphPrecision } from './ops.ts';

/** The frame encoder, or the window encoder that scores the newest `newest` frames. */
export type GraphKind = 'frame' | { readonly newest: number };

export function graphName(kind: GraphKind): string {
  return kind === 'frame' ? 'frame' : `window-${kind.newest}`;
}

/**
 * Emits one graph of a model: crops (n, 112, 112, 3) → embeddings (n, D), or windows (n, 256, D) → scores
 * (n, newest, 12). Returns the bytes of the .onnx file.
 */
export function emitModelGraph(
  kind: GraphKind,
  net: Architecture,
  weights: Weights,
  options: { precision: GraphPrecision; initializers: Initializers; progress?: Progress | undefined },
): Uint8Array {
  const { precision, initializers, progress } = options;
  const common = {
    name: graphName(kind),
    parameters: withProgress(weights, parameterBytes(kind, net), `building ${graphName(kind)}`, progress),
    precision,
    initializers,
    metadata: { 'austream.weights.sha256': weights.sha256 },
  };
  if (kind === 'frame')
    return emitGraph(
      { ...common, inputs: { crops: { element: 'uint8', shape: [BATCH, CROP_SIZE, CROP_SIZE, 3] } } },
      (ops, { crops }) => ({ embeddings: frameEncoder(ops, crops, net) }),
    );
  const size = embeddingSize(net);
  return emitGraph(
    { ...common, inputs: { windows: { element: 'float', shape: [BATCH, WINDOW_SIZE, size] } } },
    (ops, { windows }) => ({ scores: windowEncoder(ops, windows, net, kind.newest) }),
  );
}

/** Bytes of the graph's parameters in fp32: the total of its progress. */
function parameterBytes(kind: GraphKind, net: Architecture): number {
  const { frame, window } = parameterManifest(net);
  const { parameters } = kind === 'frame' ? frame : window;
  return [...parameters.values()].reduce((sum, shape) => sum + 4 * elementCount(shape), 0);
}

/** Reports each parameter's bytes when it is first read. */
function withProgress(parameters: Parameters, total: number, task: string, progress?: Progress): Parameters {
  if (!progress) return parameters;
  const counted = new Set<string>();
  let done = 0;
  return {
    read(name: string, shape: Shape) {
      const values = parameters.read(name, shape);
      if (!counted.has(name)) done += values.byteLength;
      counted.add(name);
      progress(task, done, total);
      return values;
    },
  };
}
