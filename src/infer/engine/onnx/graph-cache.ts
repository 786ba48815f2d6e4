import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { log } from '../../../log.ts';
import type { Architecture } from '../../model/architecture.ts';
import type { Weights } from '../../model/ops.ts';
import { ExternalInitializers } from './initializers.ts';
import type { GraphPrecision } from './ops.ts';

/** Part of every cached graph's place: raise it when emitted graphs change. */
const EMITTER_VERSION = 3;

/** Everything that decides the content of a model's graphs. */
export function graphCacheKey(net: Architecture, weights: Weights, precision: GraphPrecision): unknown {
  return [weights.sha256, net, precision];
}

/**
 * Emitted graphs on the disk, by what they were made from: XDG's cache folder, or one that goes with the process where
 * that cannot be written. A graph is `<name>.onnx` with its weights in `<name>.bin`.
 */
export class GraphCache {
  readonly folder: string;
  readonly #temporary: boolean;

  /** `origin`: everything that decides the graphs' content. */
  constructor(origin: unknown) {
    const root = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
    const key = createHash('sha256')
      .update(JSON.stringify([EMITTER_VERSION, origin]))
      .digest('hex');
    const folder = join(root, 'austream', 'graphs', key.slice(0, 32));
    try {
      mkdirSync(folder, { recursive: true });
      this.folder = folder;
      this.#temporary = false;
    } catch (error) {
      this.folder = mkdtempSync(join(tmpdir(), 'austream-graphs-'));
      this.#temporary = true;
      log.warn(
        { folder, cause: (error as NodeJS.ErrnoException).code },
        'the cache folder cannot be written: graphs are built anew at each start; set XDG_CACHE_HOME',
      );
    }
  }

  /** The path of a graph, which `emit` makes where it is not there yet. */
  graph(name: string, emit: (initializers: ExternalInitializers) => Uint8Array): string {
    const file = join(this.folder, `${name}.onnx`);
    if (!existsSync(file)) writeGraph(this.folder, name, emit);
    return file;
  }

  close(): void {
    if (this.#temporary) rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Writes `<name>.onnx` and `<name>.bin`. Both appear whole, the graph last, so that a process that dies on the way
 * leaves nothing that another would take for a graph.
 */
export function writeGraph(
  folder: string,
  name: string,
  emit: (initializers: ExternalInitializers) => Uint8Array,
): void {
  const scratch = mkdtempSync(join(folder, 'new-'));
  try {
    const initializers = new ExternalInitializers(join(scratch, `${name}.bin`));
    let graph: Uint8Array;
    try {
      graph = emit(initializers);
    } finally {
      initializers.close();
    }
    writeFileSync(join(scratch, `${name}.onnx`), graph);
    for (const end of ['bin', 'onnx'])
      renameSync(join(scratch, `${name}.${end}`), join(folder, `${name}.${end}`));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
