import { CROP_BYTES } from '../../domain/face.ts';
import { AustreamError } from '../../errors.ts';
import type { AuModel } from '../../infer/engine/index.ts';

/** Windows in one run of the window encoders; bounds their memory. */
const MAX_WINDOWS = 8;
/** A device that does not answer for so long is lost. */
const ALIVE_MS = 10_000;

interface PendingCall<T> {
  readonly input: T;
  readonly n: number;
  readonly resolve: (output: Float32Array) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One model for the stages of all partitions: what they ask while the device is busy goes to it in one run, in order.
 * A failure of the device comes as ENGINE_FAILED.
 */
export class BatchingModel implements AuModel {
  readonly #model: AuModel;
  readonly #maxCrops: number;
  readonly #encode: CallBatcher<Uint8Array>;
  readonly #score: CallBatcher<Float32Array>;

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

  /** Runs every shape of batch once, so that the first crops do not pay for the device's preparations. */
  async warmUp(): Promise<void> {
    const { windowSize, embeddingSize } = this.#model;
    for (const n of [1, this.#maxCrops])
      await this.#run(this.#model.encode(new Uint8Array(n * CROP_BYTES), n));
    for (const n of [1, MAX_WINDOWS])
      await this.#run(this.#model.scoreNewest(new Float32Array(n * windowSize * embeddingSize), n));
  }

  /** A real inference beside the others. Rejects with ENGINE_FAILED where none comes out. */
  async probe(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${ALIVE_MS / 1000} s`)), ALIVE_MS);
    });
    try {
      await this.#run(Promise.race([this.#model.encode(new Uint8Array(CROP_BYTES), 1), late]));
    } finally {
      clearTimeout(timer);
    }
  }

  async #run(work: Promise<Float32Array>): Promise<Float32Array> {
    try {
      return await work;
    } catch (cause) {
      const { engine, device } = this.#model.choice;
      const why = (cause as Error).message;
      throw new AustreamError('ENGINE_FAILED', `the model failed on ${engine}/${device}: ${why}`, {
        fix: 'start the process again, on another device where it happens again',
        cause,
      });
    }
  }
}

/** Calls that wait while one runs, then go together, `max` at most unless a single one is larger. */
class CallBatcher<T extends Uint8Array | Float32Array> {
  readonly #max: number;
  readonly #run: (input: T, n: number) => Promise<Float32Array>;
  #jobs: PendingCall<T>[] = [];
  #busy = false;

  constructor(max: number, run: (input: T, n: number) => Promise<Float32Array>) {
    this.#max = max;
    this.#run = run;
  }

  submit(input: T, n: number): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ input, n, resolve, reject });
      if (!this.#busy) void this.#runBatches();
    });
  }

  async #runBatches(): Promise<void> {
    this.#busy = true;
    while (this.#jobs.length > 0) {
      const jobs = this.#nextBatch();
      const n = jobs.reduce((sum, job) => sum + job.n, 0);
      try {
        const output = await this.#run(concatenate(jobs.map((job) => job.input)), n);
        let row = 0;
        for (const job of jobs) {
          job.resolve(output.subarray((row * output.length) / n, ((row + job.n) * output.length) / n));
          row += job.n;
        }
      } catch (error) {
        for (const job of jobs) job.reject(error);
      }
    }
    this.#busy = false;
  }

  #nextBatch(): PendingCall<T>[] {
    let n = 0;
    let count = 0;
    for (const job of this.#jobs) {
      if (count > 0 && n + job.n > this.#max) break;
      n += job.n;
      count += 1;
    }
    return this.#jobs.splice(0, count);
  }
}

function concatenate<T extends Uint8Array | Float32Array>(parts: readonly T[]): T {
  if (parts.length === 1) return parts[0]!;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const all = new (parts[0]!.constructor as new (length: number) => T)(length);
  let at = 0;
  for (const part of parts) {
    all.set(part as never, at);
    at += part.length;
  }
  return all;
}
