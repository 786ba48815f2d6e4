import { availableParallelism } from 'node:os';
import type * as Ort from 'onnxruntime-node';
import { ort } from './runtime.ts';

/** The execution provider that runs a graph. */
export type OnnxDevice = 'cpu' | 'cuda' | 'tensorrt' | 'webgpu';

export interface SessionOptions {
  /** Default cpu. */
  readonly device?: OnnxDevice;
  /** Threads of one operator (intra-op); 0, the default: one per core. */
  readonly threads?: number;
}

/** Input tensor: uint8 or float32, row-major. */
export interface SessionInput {
  readonly data: Uint8Array | Float32Array;
  readonly shape: readonly number[];
}

/** Output tensor, row-major. */
export interface SessionOutput {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** A graph loaded by ONNX Runtime. Runs may overlap; each returns its own memory. */
export class OnnxSession {
  readonly #session: Ort.InferenceSession;

  private constructor(session: Ort.InferenceSession) {
    this.#session = session;
  }

  /** `model`: the path of an .onnx file (with its external data beside it), or its bytes. */
  static async open(model: string | Uint8Array, options: SessionOptions = {}): Promise<OnnxSession> {
    const settings = inferenceSessionOptions(options);
    return new OnnxSession(
      typeof model === 'string'
        ? await ort.InferenceSession.create(model, settings)
        : await ort.InferenceSession.create(model, settings),
    );
  }

  async run(
    inputs: Readonly<Record<string, SessionInput>>,
  ): Promise<Readonly<Record<string, SessionOutput>>> {
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, { data, shape }]) => [
        name,
        data instanceof Uint8Array
          ? new ort.Tensor('uint8', data, shape)
          : new ort.Tensor('float32', data, shape),
      ]),
    );
    const results = await this.#session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [
        name,
        { data: tensor.data as Float32Array, shape: tensor.dims },
      ]),
    );
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

function inferenceSessionOptions({
  device = 'cpu',
  threads = 0,
}: SessionOptions): Ort.InferenceSession.SessionOptions {
  // Operators that an execution provider does not support fall back to the next one.
  const providers =
    device === 'tensorrt' ? ['tensorrt', 'cuda', 'cpu'] : device === 'cpu' ? ['cpu'] : [device, 'cpu'];
  return {
    executionProviders: providers,
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads || availableParallelism(),
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: {
      session: {
        // Idle threads spin 0.2 ms for the next operator, then sleep, and do not spin between runs. Endless spinning
        // starves other processes; no spinning adds a third to a window's time.
        force_spinning_stop: '1',
        intra_op: { allow_spinning: '1', spin_duration_us: '200' },
        // Flush denormals (below 1e-38) to zero: frequent in attention weights, many times slower, without effect on
        // scores. This also applies to JavaScript on the thread that opens the first session.
        set_denormal_as_zero: '1',
      },
    },
  };
}
