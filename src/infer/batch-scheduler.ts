import { monotonicMs } from '../clock.ts';
import type { FaceCrop } from '../domain/face.ts';
import type { InferOptions } from './options.ts';
import { InferenceQueue, type QueueItem } from './queue.ts';

/**
 * Dynamic batching with backpressure: queues the crops of all cameras and processes them one batch at a time. Files
 * wait for room; live sources drop their oldest crops.
 */
export class BatchScheduler {
  /** Rejects when a batch fails or `fail` is called; no batch is processed after that. */
  readonly failed: Promise<never>;
  readonly fail: (error: unknown) => void;
  readonly #batch: InferOptions['batch'];
  readonly #queue: InferenceQueue;
  readonly #process: (items: readonly QueueItem[]) => Promise<void>;
  #roomWaiters: (() => void)[] = [];
  #deadline: NodeJS.Timeout | undefined;
  #running = false;

  constructor(
    { batch, maxWaiting }: Pick<InferOptions, 'batch' | 'maxWaiting'>,
    process: (items: readonly QueueItem[]) => Promise<void>,
  ) {
    this.#batch = batch;
    this.#queue = new InferenceQueue(maxWaiting);
    this.#process = process;
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.fail = reject;
    // Without this, a failure that nobody observes would end the process as an unhandled rejection.
    promise.catch(() => {});
  }

  get queuedCrops(): number {
    return this.#queue.cropCount;
  }

  /** Queued crops of live sources. */
  get queuedLiveCrops(): number {
    return this.#queue.liveCropCount;
  }

  /** A batch is being processed. */
  get running(): boolean {
    return this.#running;
  }

  /** Files must wait for room. */
  get nearlyFull(): boolean {
    return this.#queue.nearlyFull;
  }

  /** Queues a crop. Returns the live crop that was dropped to make room, or null. */
  addCrop(crop: FaceCrop): FaceCrop | null {
    const dropped = crop.clockSource !== 'file' && this.#queue.full ? this.#queue.dropOldest() : null;
    this.#queue.add({ kind: 'crop', crop, queuedAt: monotonicMs() });
    return dropped;
  }

  /** Queues `run` behind every crop queued so far. */
  addBarrier(run: () => void | Promise<void>): void {
    this.#queue.add({ kind: 'barrier', run, urgent: false });
    this.schedule();
  }

  /**
   * As `addBarrier`, without waiting for the batch deadline. Resolves after `run`; rejects when the scheduler fails.
   */
  barrier(run: () => void | Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queue.add({
      kind: 'barrier',
      run: async () => {
        await run();
        resolve();
      },
      urgent: true,
    });
    this.schedule();
    return Promise.race([promise, this.failed]);
  }

  /** Removes the queued crops for which `isUnwanted` holds; returns their number. */
  removeCrops(isUnwanted: (crop: FaceCrop) => boolean): number {
    const removed = this.#queue.removeCrops(isUnwanted);
    this.#releaseRoomWaiters();
    return removed;
  }

  /** Discards every queued item. */
  discard(): void {
    this.#queue.takeBatch(Number.POSITIVE_INFINITY);
  }

  /** Resolves when the queue has room for a file's crop; rejects when the scheduler fails. */
  async waitForRoom(): Promise<void> {
    this.schedule();
    while (this.#queue.nearlyFull)
      await Promise.race([new Promise<void>((resolve) => this.#roomWaiters.push(resolve)), this.failed]);
  }

  /** Starts the next batch if one is due, or a timer for its deadline. */
  schedule(): void {
    if (this.#running) return;
    clearTimeout(this.#deadline);
    const { max, deadlineMs } = this.#batch;
    const due = this.#queue.nearlyFull ? 0 : this.#queue.msUntilDue(max, deadlineMs, monotonicMs());
    if (due === null) return;
    if (due > 0) {
      // An infinite deadline makes batches by count alone, so that the same file always gives the same batches.
      if (Number.isFinite(due)) this.#deadline = setTimeout(() => this.schedule(), due);
      return;
    }
    this.#running = true;
    // The number of crops behind a leading barrier depends on timing, so they form the next batch.
    const items = this.#queue.takeBatch(this.#queue.barrierFirst ? 0 : max);
    this.#releaseRoomWaiters();
    this.#process(items)
      .then(() => {
        this.#running = false;
        this.schedule();
      })
      .catch(this.fail);
  }

  #releaseRoomWaiters(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
