import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { log } from '../../../log.ts';
import type { Architecture } from '../../model/architecture.ts';
import type { Weights } from '../../model/ops.ts';
import { ExternalInitializers } from './initializers.ts';
import type { GraphPrecision } from './ops.ts';
import { sourceDigest } from './source-digest.ts';

/** What emits the graphs. */
const EMITTER = new URL('model-graphs.ts', import.meta.url);

/** Everything that determines the content of a model's graphs, the code included. */
export function graphCacheKey(net: Architecture, weights: Weights, precision: GraphPrecision): unknown {
  return [sourceDigest(EMITTER), weights.sha256, net, precision];
}

/**
 * Disk cache of emitted graphs, in `$XDG_CACHE_HOME/austream/graphs/<hash of the cache key>`, or in a temporary folder
 * if that is not writable. A graph is `<name>.onnx` with its weights in `<name>.bin`.
 */
export class GraphCache {
  readonly folder: string;
  readonly #temporary: boolean;

  /** `cacheKey`: everything that determines the graphs' content, as JSON. */
  constructor(cacheKey: unknown) {
    const root = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
    const hash = createHash('sha256').update(JSON.stringify(cacheKey)).digest('hex');
    const folder = join(root, 'austream', 'graphs', hash.slice(0, 32));
    try {
      mkdirSync(folder, { recursive: true });
      this.folder = folder;
      this.#temporary = false;
    } catch (error) {
      this.folder = mkdtempSync(join(tmpdir(), 'austream-graphs-'));
      this.#temporary = true;
      log.warn(
        { folder, cause: (error as NodeJS.ErrnoException).code },
        'the graph cache is not writable: graphs are rebuilt at each start; set XDG_CACHE_HOME',
      );
    }
  }

  /** Path of the graph's .onnx file. Calls `emit` if the graph is not cached yet. */
  graph(name: string, emit: (initializers: ExternalInitializers) => Uint8Array): string {
    const file = join(this.folder, `${name}.onnx`);
    if (!existsSync(file)) writeGraph(this.folder, name, emit);
    return file;
  }

  /** Removes the folder if it is temporary. */
  close(): void {
    if (this.#temporary) rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Writes `<name>.onnx` and `<name>.bin` atomically: both are renamed into place complete, the .onnx file last, so that
 * a process that dies in between leaves no partial graph.
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
