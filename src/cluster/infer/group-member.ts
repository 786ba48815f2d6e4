import { randomUUID } from 'node:crypto';
import { Mutex } from 'async-mutex';
import { wallMicros } from '../../clock.ts';
import { diagnostics, type ProcessGauges } from '../../diagnostics.ts';
import type { AuActivation, AuFrame } from '../../domain/event.ts';
import type { TopicDelivery } from '../../domain/topic-delivery.ts';
import { GroupReader } from '../../kafka/group-reader.ts';
import { log } from '../../log.ts';
import { BrokerTurns } from './broker-turns.ts';
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
export type SharedResources = Omit<PartitionOwnerOptions, 'reader' | 'turn' | 'workerId' | 'alone'>;

/** A partition whose topics take nothing is not read any further with this many events in memory. */
const MAX_UNPUBLISHED = 4_096;
const BACKPRESSURE_CHECK_MS = 50;

/**
 * This process as a member of the consumer group `<cluster.group>-infer`: owns each partition of the crops topic from
 * its assignment to its revocation, and pauses reading while too many crops wait for the model.
 */
export class InferGroupMember {
  /** Rejects when the model fails, or when the brokers or the registry reject this worker for good. */
  readonly failed: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #resources: SharedResources;
  readonly #observer: InferObserver;
  readonly #owners = new Map<number, PartitionOwner>();
  /** New at each start: a process that died and one that was started again are two owners. */
  readonly #workerId = randomUUID();
  readonly #alone = new Mutex();
  readonly #turns = new BrokerTurns();
  readonly #skipped: Record<SkipCause, number> = { late: 0, old_epoch: 0, undecodable: 0 };
  #undeliverable = 0;
  #events = 0;
  #activations = 0;
  #reader: GroupReader | null = null;
  /** Too many crops wait for the model. */
  #isFull = false;
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
    const topics = this.#deliveries();
    const pending = topics.reduce((sum, topic) => sum + topic.pending, 0);
    return {
      queuedCrops: this.#sum((owner) => owner.waiting),
      publisher: { connected, pending, topics },
    };
  }

  /** How each topic takes what it gets. Whatever holds a transaction without concerning a topic stands at the crops. */
  #deliveries(): TopicDelivery[] {
    const { frames, activations, state, deadletter, crops } = this.#resources.topics;
    const isConnected = this.#reader?.connected ?? false;
    const owners = [...this.#owners.values()];
    const of = (topic: string, pending: number, acknowledged: number, dropped = 0): TopicDelivery => {
      const holds = owners.flatMap(({ hold }) => (hold?.topic === topic ? [hold] : []));
      const longest = holds.reduce(
        (oldest, hold) => (hold.sinceSeconds > (oldest?.sinceSeconds ?? -1) ? hold : oldest),
        topic === crops ? (this.#reader?.refusal ?? null) : null,
      );
      const ages = owners.map((owner) =>
        pending > 0 || owner.hold?.topic === topic ? (owner.oldestSeconds ?? 0) : 0,
      );
      const oldest = Math.max(0, ...ages, longest?.sinceSeconds ?? 0);
      const held = longest && {
        cause: isConnected ? longest.cause : 'kafka_unreachable',
        ...{ detail: longest.detail, sinceSeconds: longest.sinceSeconds },
      };
      const oldestSeconds = pending > 0 || held ? oldest : null;
      return { topic, pending, waiting: pending, oldestSeconds, acknowledged, dropped, held };
    };
    return [
      of(
        frames,
        this.#sum((owner) => owner.unpublished.frames),
        this.#events,
        this.#undeliverable,
      ),
      of(
        activations,
        this.#sum((owner) => owner.unpublished.activations),
        this.#activations,
      ),
      of(state, 0, 0),
      of(deadletter, 0, 0),
      of(crops, 0, 0),
    ];
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
        turn: this.#turns.forPartition(),
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
        rewound: () => publishLost(UNKNOWN_CAMERA, 1, 'crop_topic_reset'),
        undeliverable: (cameraId, cause) => {
          this.#undeliverable += 1;
          publishLost(cameraId, 1, cause);
        },
        held: (topic, hold) =>
          diagnostics.delivery.publish({
            ...{ topic, state: hold ? 'held' : 'delivering' },
            ...{ cause: hold?.cause ?? '', detail: hold?.detail ?? '' },
          }),
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

  /**
   * Pauses reading at `infer.maxWaiting` waiting crops; resumes below half of it. A partition that cannot publish is paused
   * alone, and what waits in it does not count: it stops no other.
   */
  #applyBackpressure(): void {
    const { maxWaiting } = this.#resources.infer;
    const all = [...this.#owners];
    const stuck = all.filter(([, { hold, unpublished }]) => {
      const events = unpublished.frames + unpublished.activations;
      return hold !== null || events >= MAX_UNPUBLISHED;
    });
    const waiting = this.#sum((owner) => (owner.hold === null ? owner.waiting : 0));
    if (waiting >= maxWaiting) this.#isFull = true;
    else if (waiting < maxWaiting / 2) this.#isFull = false;
    const paused = this.#isFull ? all : stuck;
    try {
      this.#reader!.pauseOnly(new Set(paused.map(([partition]) => partition)));
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
