import type { Tensor } from '@tensorflow/tfjs-core';
import { CROP_SIZE } from '../../../domain/face.ts';
import { type Architecture, embeddingSize, WINDOW_SIZE } from '../../model/architecture.ts';
import { frameEncoder, windowEncoder } from '../../model/ensemble.ts';
import type { Weights } from '../../model/ops.ts';
import type { Engine } from '../model.ts';
import { loadTensorflow, type Tensorflow, type TfjsBackend } from './backend.ts';
import { TfjsOps } from './ops.ts';

export interface TfjsEngineOptions {
  readonly backend: TfjsBackend;
  readonly threads: number;
  readonly hop: number;
}

/** A model on TensorFlow.js, run eagerly. Its backends compute synchronously and block the calling thread. */
export class TfjsEngine implements Engine {
  readonly #tf: Tensorflow;
  readonly #ops: TfjsOps;
  readonly #net: Architecture;
  readonly #hop: number;

  private constructor(tf: Tensorflow, net: Architecture, weights: Weights, hop: number) {
    this.#tf = tf;
    this.#ops = new TfjsOps(tf, weights);
    this.#net = net;
    this.#hop = hop;
  }

  /** Loads the parameters that a hop needs into the backend's memory. */
  static async open(net: Architecture, weights: Weights, options: TfjsEngineOptions): Promise<TfjsEngine> {
    const tf = await loadTensorflow(options.backend, options.threads);
    const engine = new TfjsEngine(tf, net, weights, options.hop);
    try {
      await engine.encode(new Uint8Array(CROP_SIZE * CROP_SIZE * 3), 1);
      await engine.scoreNewest(new Float32Array(WINDOW_SIZE * embeddingSize(net)), 1);
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  encode(crops: Uint8Array, n: number): Promise<Float32Array> {
    return this.#run((tf) => {
      const pixels = tf.tensor(crops, [n, CROP_SIZE, CROP_SIZE, 3], 'int32');
      return frameEncoder(this.#ops, pixels, this.#net);
    });
  }

  score(windows: Float32Array, n: number): Promise<Float32Array> {
    return this.#scores(windows, n, WINDOW_SIZE);
  }

  scoreNewest(windows: Float32Array, n: number): Promise<Float32Array> {
    return this.#scores(windows, n, this.#hop);
  }

  async close(): Promise<void> {
    this.#ops.dispose();
  }

  #scores(windows: Float32Array, n: number, newest: number): Promise<Float32Array> {
    return this.#run((tf) => {
      const x = tf.tensor(windows, [n, WINDOW_SIZE, embeddingSize(this.#net)], 'float32');
      return windowEncoder(this.#ops, x, this.#net, newest);
    });
  }

  async #run(compute: (tf: Tensorflow) => Tensor): Promise<Float32Array> {
    const result = this.#tf.tidy(() => compute(this.#tf));
    try {
      return (await result.data()) as Float32Array;
    } finally {
      result.dispose();
    }
  }
}
