import { randomUUID } from 'node:crypto';
import { Mutex, Semaphore } from 'async-mutex';
import { wallMicros } from '../../clock.ts';
import { diagnostics, type ProcessGauges } from '../../diagnostics.ts';
import type { AuActivation, AuFrame } from '../../domain/event.ts';
import { GroupReader } from '../../kafka/group-reader.ts';
import { log } from '../../log.ts';
import { type SkipCause, UNKNOWN_CAMERA } from './partition-inference.ts';
import { PartitionOwner, type PartitionOwnerOptions } from './partition-owner.ts';

export interface InferObserver {
  /** These events are committed to their topics. */
  frames?(frames: readonly AuFrame[]): void;
  activations?(activations: readonly AuActivation[]): void;
}

export interface InferSummary {
  readonly events: number;
  readonly activations: number;
  /** Skipped crops by cause. The JSON of `austream infer --json` calls them `passedOver`. */
  readonly passedOver: Readonly<Record<SkipCause, number>>;
}

/** What every partition owner of this process shares. */
export type SharedResources = Omit<
  PartitionOwnerOptions,
  'reader' | 'transactionSlots' | 'workerId' | 'alone'
>;

/** Each transaction blocks one of libuv's threads, which the model and the consumer need too. */
const MAX_CONCURRENT_TRANSACTIONS = 6;
const BACKPRESSURE_CHECK_MS = 50;

/**
 * This process as a member of the consumer group `<cluster.group>-infer`: owns each partition of the crops topic from
 * its assignment to its revocation, and pauses reading while too many crops wait for the model.
 */
export class InferGroupMember {
  /** Rejects when the model fails, or when the brokers or the registry reject this worker. */
  readonly failed: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #resources: SharedResources;
  readonly #observer: InferObserver;
  readonly #owners = new Map<number, PartitionOwner>();
  /** New at each start: a process that died and one that was started again are two owners. */
  readonly #workerId = randomUUID();
  readonly #alone = new Mutex();
  readonly #transactionSlots = new Semaphore(MAX_CONCURRENT_TRANSACTIONS);
  readonly #skipped: Record<SkipCause, number> = { late: 0, old_epoch: 0, undecodable: 0 };
  #events = 0;
  #activations = 0;
  #reader: GroupReader | null = null;
  #backpressureTimer: NodeJS.Timeout | undefined;

  constructor(resources: SharedResources, observer: InferObserver) {
    this.#resources = resources;
    this.#observer = observer;
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    promise.catch(() => {});
  }

  async join(): Promise<void> {
    const { kafka, cluster, topics } = this.#resources;
    this.#reader = await GroupReader.open(
      kafka,
      {
        topic: topics.crops,
        group: `${cluster.group}-infer`,
        sessionSeconds: cluster.sessionSeconds,
        from: 'end',
      },
      {
        assigned: (partition) => this.#assign(partition),
        revoked: (partition) => this.#revoke(partition),
        message: (message) => this.#owners.get(message.partition)?.accept(message),
        caughtUp: (partition) => this.#owners.get(partition)?.caughtUp(),
      },
    );
    this.#reader.failed.catch(this.#fail);
    this.#backpressureTimer = setInterval(() => this.#applyBackpressure(), BACKPRESSURE_CHECK_MS);
  }

  /** Commits and releases every partition, then leaves the group. */
  async leave(): Promise<void> {
    clearInterval(this.#backpressureTimer);
    await Promise.all([...this.#owners.keys()].map((partition) => this.#revoke(partition)));
    await this.#reader?.close();
  }

  /** What this member still lacks to be ready; empty when it is ready. */
  missing(): string[] {
    const starting = [...this.#owners].filter(([, owner]) => !owner.ready).map(([partition]) => partition);
    return [
      ...(this.#reader?.connected ? [] : ['Kafka is not reachable']),
      ...(starting.length === 0 ? [] : [`partitions ${starting.join(', ')} are being taken over`]),
    ];
  }

  stats(): ProcessGauges {
    const connected = this.#reader?.connected ?? false;
    const pending = this.#sum((owner) => owner.unpublished);
    return { queuedCrops: this.#sum((owner) => owner.waiting), publisher: { connected, pending } };
  }

  summary(): InferSummary {
    return {
      events: this.#events,
      activations: this.#activations,
      passedOver: { ...this.#skipped },
    };
  }

  #assign(partition: number): void {
    const owner = new PartitionOwner(
      partition,
      {
        ...this.#resources,
        reader: this.#reader!,
        transactionSlots: this.#transactionSlots,
        workerId: this.#workerId,
        alone: this.#alone,
      },
      {
        committed: (frames, activations) => this.#committed(frames, activations),
        skipped: (cause, crops, cameraId) => {
          this.#skipped[cause] += crops;
          if (cause === 'undecodable') publishLost(cameraId, crops, 'crop_undecodable');
          else diagnostics.skipped.publish({ cameraId, count: crops, cause });
          log.debug({ partition, cameraId, cause, crops }, 'crops skipped');
        },
        setAside: (records) => publishLost(UNKNOWN_CAMERA, records, 'crop_set_aside'),
        stateUnreadable: () => publishLost(UNKNOWN_CAMERA, 1, 'state_unreadable'),
        expired: (records) => publishLost(UNKNOWN_CAMERA, records, 'crop_expired'),
        failed: this.#fail,
      },
    );
    this.#owners.set(partition, owner);
  }

  async #revoke(partition: number): Promise<void> {
    const owner = this.#owners.get(partition);
    this.#owners.delete(partition);
    await owner?.close();
  }

  #committed(frames: readonly AuFrame[], activations: readonly AuActivation[]): void {
    this.#events += frames.length;
    this.#activations += activations.length;
    if (diagnostics.acknowledged.hasSubscribers) {
      const at = wallMicros();
      for (const frame of frames) diagnostics.acknowledged.publish({ frame, at });
    }
    if (frames.length > 0) this.#observer.frames?.(frames);
    if (activations.length > 0) this.#observer.activations?.(activations);
  }

  /** Pauses reading at `infer.maxWaiting` waiting crops; resumes below half of it. */
  #applyBackpressure(): void {
    const { maxWaiting } = this.#resources.infer;
    const waiting = this.#sum((owner) => owner.waiting);
    try {
      if (waiting >= maxWaiting) this.#reader!.pause();
      else if (waiting < maxWaiting / 2) this.#reader!.resume();
    } catch (error) {
      // A rebalance may just have revoked a partition; the next check sees the new assignment.
      log.debug(`backpressure: ${(error as Error).message}`);
    }
  }

  #sum(count: (owner: PartitionOwner) => number): number {
    return [...this.#owners.values()].reduce((sum, owner) => sum + count(owner), 0);
  }
}

function publishLost(cameraId: string, count: number, cause: string): void {
  diagnostics.lost.publish({ cameraId, count, cause });
}
