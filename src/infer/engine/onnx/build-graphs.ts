import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Architecture, WINDOW_SIZE } from '../../model/architecture.ts';
import type { Weights } from '../../model/ops.ts';
import type { Progress } from '../model.ts';
import { GraphCache, graphCacheKey, writeGraph } from './graph-cache.ts';
import { emitModelGraph, type GraphKind, graphName } from './model-graphs.ts';
import type { GraphPrecision } from './ops.ts';

/**
 * Builds all graphs of a model: the frame encoder, and the window encoder for the newest `hop` frames and for whole
 * windows. Writes them to the folder `out`, or to the graph cache, where a process that runs the model finds them.
 *
 * @returns the paths of the .onnx files
 */
export function buildGraphs(
  net: Architecture,
  weights: Weights,
  options: {
    precision: GraphPrecision;
    hop: number;
    out?: string | undefined;
    progress?: Progress | undefined;
  },
): string[] {
  const { precision, hop, out, progress } = options;
  const kinds: GraphKind[] = ['frame', { newest: hop }];
  if (hop !== WINDOW_SIZE) kinds.push({ newest: WINDOW_SIZE });
  const cache = out === undefined ? new GraphCache(graphCacheKey(net, weights, precision)) : null;
  if (out !== undefined) mkdirSync(out, { recursive: true });
  return kinds.map((kind) => {
    const name = graphName(kind);
    const emit = (initializers: Parameters<typeof emitModelGraph>[3]['initializers']) =>
      emitModelGraph(kind, net, weights, { precision, initializers, progress });
    if (cache) return cache.graph(name, emit);
    writeGraph(out!, name, emit);
    return join(out!, `${name}.onnx`);
  });
}
