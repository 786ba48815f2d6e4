import { CROP_SIZE } from '../../../domain/face.ts';
import { AU_COUNT } from '../../../domain/scores.ts';
import { type Architecture, embeddingSize, WINDOW_SIZE } from '../../model/architecture.ts';
import type { Weights } from '../../model/ops.ts';
import type { Engine, Progress } from '../model.ts';
import { GraphCache, graphCacheKey } from './graph-cache.ts';
import { emitModelGraph, type GraphKind, graphName } from './model-graphs.ts';
import type { GraphPrecision } from './ops.ts';
import { OnnxSession, type SessionOptions } from './session.ts';

export interface OnnxEngineOptions extends SessionOptions {
  readonly precision: GraphPrecision;
  readonly hop: number;
  readonly progress?: Progress | undefined;
}

/** A model on ONNX Runtime: one session per graph, opened on first use; graphs not in the cache are built. */
export class OnnxEngine implements Engine {
  readonly #net: Architecture;
  readonly #weights: Weights;
  readonly #options: OnnxEngineOptions;
  readonly #cache: GraphCache;
  readonly #sessions = new Map<string, Promise<OnnxSession>>();

  private constructor(net: Architecture, weights: Weights, options: OnnxEngineOptions) {
    this.#net = net;
    this.#weights = weights;
    this.#options = options;
    this.#cache = new GraphCache(graphCacheKey(net, weights, options.precision));
  }

  /** Loads the graphs that a hop needs. `weights` must stay open as long as the engine. */
  static async open(net: Architecture, weights: Weights, options: OnnxEngineOptions): Promise<OnnxEngine> {
    const engine = new OnnxEngine(net, weights, options);
    try {
      await engine.#session('frame');
      await engine.#session({ newest: options.hop });
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  async encode(crops: Uint8Array, n: number): Promise<Float32Array> {
    const session = await this.#session('frame');
    const { embeddings } = await session.run({ crops: { data: crops, shape: [n, CROP_SIZE, CROP_SIZE, 3] } });
    return embeddings!.data;
  }

  score(windows: Float32Array, n: number): Promise<Float32Array> {
    return this.#scores(windows, n, WINDOW_SIZE);
  }

  scoreNewest(windows: Float32Array, n: number): Promise<Float32Array> {
    return this.#scores(windows, n, this.#options.hop);
  }

  async close(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.allSettled(sessions.map(async (session) => (await session).close()));
    this.#cache.close();
  }

  async #scores(windows: Float32Array, n: number, newest: number): Promise<Float32Array> {
    const session = await this.#session({ newest });
    const shape = [n, WINDOW_SIZE, embeddingSize(this.#net)];
    const { scores } = await session.run({ windows: { data: windows, shape } });
    if (scores!.data.length !== n * newest * AU_COUNT)
      throw new Error(`graph ${graphName({ newest })} returned ${scores!.data.length} scores`);
    return scores!.data;
  }

  #session(kind: GraphKind): Promise<OnnxSession> {
    const name = graphName(kind);
    let session = this.#sessions.get(name);
    if (!session) {
      session = this.#open(kind);
      this.#sessions.set(name, session);
    }
    return session;
  }

  async #open(kind: GraphKind): Promise<OnnxSession> {
    const { precision, progress } = this.#options;
    const path = this.#cache.graph(graphName(kind), (initializers) =>
      emitModelGraph(kind, this.#net, this.#weights, { precision, initializers, progress }),
    );
    return OnnxSession.open(path, this.#options);
  }
}
