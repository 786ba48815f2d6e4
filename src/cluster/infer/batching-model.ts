import { CROP_BYTES } from '../../domain/face.ts';
import { AustreamError } from '../../errors.ts';
import type { AuModel } from '../../infer/engine/index.ts';

/** Windows in one run of the window encoders; bounds their memory. */
const MAX_WINDOWS = 8;
/** A device that does not complete an inference within this time is considered lost. */
const PROBE_TIMEOUT_MS = 10_000;

interface PendingCall<T> {
  readonly input: T;
  readonly n: number;
  readonly resolve: (output: Float32Array) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One model for the inference stages of all partitions. Calls that arrive while the device is busy are batched into one
 * run, in order. Every failure of the device becomes ENGINE_FAILED.
 */
export class BatchingModel implements AuModel {
  readonly #model: AuModel;
  readonly #maxCrops: number;
  readonly #encode: CallBatcher<Uint8Array>;
  readonly #score: CallBatcher<Float32Array>;

  /** `maxCrops`: crops in one run of the encoder (`infer.batch.max`). */
  constructor(model: AuModel, maxCrops: number) {
    this.#model = model;
    this.#maxCrops = maxCrops;
    this.#encode = new CallBatcher(maxCrops, (crops, n) => this.#run(model.encode(crops, n)));
    this.#score = new CallBatcher(MAX_WINDOWS, (windows, n) => this.#run(model.scoreNewest(windows, n)));
  }

  get stamp() {
    return this.#model.stamp;
  }
  get choice() {
    return this.#model.choice;
  }
  get thresholds() {
    return this.#model.thresholds;
  }
  get sigma() {
    return this.#model.sigma;
  }
  get reliability() {
    return this.#model.reliability;
  }
  get embeddingSize() {
    return this.#model.embeddingSize;
  }
  get windowSize() {
    return this.#model.windowSize;
  }
  get hop() {
    return this.#model.hop;
  }

  encode(crops: Uint8Array, n: number): Promise<Float32Array> {
    return this.#encode.submit(crops, n);
  }

  scoreNewest(windows: Float32Array, n: number): Promise<Float32Array> {
    return this.#score.submit(windows, n);
  }

  score(windows: Float32Array, n: number): Promise<Float32Array> {
    return this.#run(this.#model.score(windows, n));
  }

  close(): Promise<void> {
    return this.#model.close();
  }

  /** Runs the smallest and the largest batch once: engines allocate and tune on the first run of a shape. */
  async warmUp(): Promise<void> {
    const { windowSize, embeddingSize } = this.#model;
    for (const n of [1, this.#maxCrops])
      await this.#run(this.#model.encode(new Uint8Array(n * CROP_BYTES), n));
    for (const n of [1, MAX_WINDOWS])
      await this.#run(this.#model.scoreNewest(new Float32Array(n * windowSize * embeddingSize), n));
  }

  /** Liveness: one real inference beside the others. Rejects with ENGINE_FAILED, also after a timeout. */
  async probe(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no answer within ${PROBE_TIMEOUT_MS / 1000} s`)),
        PROBE_TIMEOUT_MS,
      );
    });
    try {
      await this.#run(Promise.race([this.#model.encode(new Uint8Array(CROP_BYTES), 1), timeout]));
    } finally {
      clearTimeout(timer);
    }
  }

  async #run(inference: Promise<Float32Array>): Promise<Float32Array> {
    try {
      return await inference;
    } catch (cause) {
      const { engine, device } = this.#model.choice;
      const reason = (cause as Error).message;
      throw new AustreamError('ENGINE_FAILED', `the model failed on ${engine}/${device}: ${reason}`, {
        fix: 'restart the process; choose another infer.device if it happens again',
        cause,
      });
    }
  }
}

/** Queues calls while one runs, then runs them as one batch of at most `max` rows, or of a single larger call. */
class CallBatcher<T extends Uint8Array | Float32Array> {
  readonly #max: number;
  readonly #run: (input: T, n: number) => Promise<Float32Array>;
  #queue: PendingCall<T>[] = [];
  #busy = false;

  constructor(max: number, run: (input: T, n: number) => Promise<Float32Array>) {
    this.#max = max;
    this.#run = run;
  }

  /** `n`: rows in `input`. Resolves with the output's rows of this call. */
  submit(input: T, n: number): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ input, n, resolve, reject });
      if (!this.#busy) void this.#runBatches();
    });
  }

  async #runBatches(): Promise<void> {
    this.#busy = true;
    while (this.#queue.length > 0) {
      const calls = this.#nextBatch();
      const n = calls.reduce((sum, call) => sum + call.n, 0);
      try {
        const output = await this.#run(concatenate(calls.map((call) => call.input)), n);
        let row = 0;
        for (const call of calls) {
          call.resolve(output.subarray((row * output.length) / n, ((row + call.n) * output.length) / n));
          row += call.n;
        }
      } catch (error) {
        for (const call of calls) call.reject(error);
      }
    }
    this.#busy = false;
  }

  #nextBatch(): PendingCall<T>[] {
    let n = 0;
    let count = 0;
    for (const call of this.#queue) {
      if (count > 0 && n + call.n > this.#max) break;
      n += call.n;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }
}

function concatenate<T extends Uint8Array | Float32Array>(parts: readonly T[]): T {
  if (parts.length === 1) return parts[0]!;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const joined = new (parts[0]!.constructor as new (length: number) => T)(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part as never, offset);
    offset += part.length;
  }
  return joined;
}
