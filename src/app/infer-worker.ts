import { type OwnerOptions, PartitionOwner } from '../cluster/infer/owner.ts';
import { type PassedOver, UNKNOWN } from '../cluster/infer/partition.ts';
import { SharedModel } from '../cluster/infer/shared-model.ts';
import { CropDecoder } from '../cluster/pixels.ts';
import { requireBrokers } from '../cluster/prerequisites.ts';
import { clusterTopicSpecs, clusterTopics, ownerTopics } from '../cluster/topics.ts';
import type { Config } from '../config/schema.ts';
import { diagnostics, type Gauges, nowMicros } from '../diagnostics.ts';
import type { AuActivation, AuFrame } from '../domain/event.ts';
import { openModel } from '../infer/engine/index.ts';
import { createMissingTopics, withAdmin } from '../kafka/admin.ts';
import { GroupReader } from '../kafka/group-reader.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { TableReader } from '../kafka/table-reader.ts';
import { Turns } from '../kafka/turns.ts';
import { log } from '../log.ts';
import { RecordEncoder } from '../records/avro.ts';
import { RecordDecoder } from '../records/decode.ts';
import { SchemaRegistry } from '../records/registry.ts';
import { openRegistry } from '../records/subjects.ts';

export interface InferObserver {
  /** These events are on their topics. */
  frames?(frames: readonly AuFrame[]): void;
  activations?(activations: readonly AuActivation[]): void;
}

export interface InferSummary {
  readonly events: number;
  readonly activations: number;
  /** Crops that gave no event because they came again, came too late, or could not be read. */
  readonly passedOver: Readonly<Record<PassedOver, number>>;
}

export interface InferWorker {
  /** Rejects when the model fails or the brokers refuse. */
  readonly done: Promise<never>;
  /** What keeps it from being ready; empty when nothing does. */
  missing(): string[];
  /** A real inference. Rejects with ENGINE_FAILED. */
  alive(): Promise<void>;
  /** How much waits for the model and for the brokers. */
  stats(): Gauges;
  stop(): Promise<InferSummary>;
}

/** libuv's threads are shared with the model and the consumer. */
const TRANSACTIONS_AT_ONCE = 6;
const CHECK_MS = 50;

/**
 * An inference worker: crops from the topic, events to their topics, each with the offset and the state that belong to
 * it in one transaction. Workers of a group share the partitions out among themselves.
 */
export async function openInferWorker(config: Config, observer: InferObserver = {}): Promise<InferWorker> {
  const { kafka, cluster, infer } = config;
  requireBrokers(kafka);
  const model = new SharedModel(await openModel(infer), infer.batch.max);
  const closers: (() => Promise<void>)[] = [() => model.close()];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    await model.warmUp();
    await seeToTopics(kafka);
    const states = await TableReader.open(kafka, clusterTopics(kafka.topicPrefix).inferState);
    closers.push(() => states.close());
    const tools = { ...(await formats(kafka)), states, model, kafka, cluster, infer };
    const worker = new Worker(tools, observer);
    await worker.join();
    closers.push(() => worker.leave());
    return {
      done: worker.failed,
      missing: () => worker.missing(),
      alive: () => model.alive(),
      stats: () => worker.stats(),
      stop: async () => {
        await closeAll();
        return worker.summary();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function seeToTopics(kafka: KafkaOptions): Promise<void> {
  if (!kafka.topics.create) return;
  await withAdmin(kafka, (admin) => createMissingTopics(admin, clusterTopicSpecs(kafka)));
}

/** How records are read and written. */
async function formats(kafka: KafkaOptions) {
  const records = ['AuFrame', 'AuActivation', 'DeadLetter'] as const;
  const headers = kafka.registry && (await openRegistry(kafka.registry, kafka.topicPrefix, records));
  const encoders = Object.fromEntries(
    records.map((record) => [record, new RecordEncoder(record, headers?.get(record))]),
  ) as OwnerOptions['encoders'];
  return {
    encoders,
    decoder: new RecordDecoder(kafka.registry && new SchemaRegistry(kafka.registry)),
    pixels: new CropDecoder(),
    topics: ownerTopics(kafka.topicPrefix),
  };
}

type Tools = Omit<OwnerOptions, 'reader' | 'turns'>;

/** The partitions that this worker has, and how much of them it takes at once. */
class Worker {
  readonly failed: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #tools: Tools;
  readonly #observer: InferObserver;
  readonly #owners = new Map<number, PartitionOwner>();
  readonly #turns = new Turns(TRANSACTIONS_AT_ONCE);
  readonly #passedOver: Record<PassedOver, number> = { late: 0, old_epoch: 0, undecodable: 0 };
  #events = 0;
  #activations = 0;
  #reader: GroupReader | null = null;
  #watch: NodeJS.Timeout | undefined;

  constructor(tools: Tools, observer: InferObserver) {
    this.#tools = tools;
    this.#observer = observer;
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    promise.catch(() => {});
  }

  async join(): Promise<void> {
    const { kafka, cluster, topics } = this.#tools;
    this.#reader = await GroupReader.open(
      kafka,
      {
        topic: topics.crops,
        group: `${cluster.group}-infer`,
        sessionSeconds: cluster.sessionSeconds,
        from: 'end',
      },
      {
        assigned: (partition) => this.#own(partition),
        revoked: (partition) => this.#letGo(partition),
        message: (message) => this.#owners.get(message.partition)?.take(message),
        caughtUp: (partition) => this.#owners.get(partition)?.caughtUp(),
      },
    );
    this.#reader.failed.catch(this.#fail);
    this.#watch = setInterval(() => this.#balance(), CHECK_MS);
  }

  async leave(): Promise<void> {
    clearInterval(this.#watch);
    await Promise.all([...this.#owners.keys()].map((partition) => this.#letGo(partition)));
    await this.#reader?.close();
  }

  missing(): string[] {
    const starting = [...this.#owners].filter(([, owner]) => !owner.ready).map(([partition]) => partition);
    return [
      ...(this.#reader?.connected ? [] : ['Kafka is not reachable']),
      ...(starting.length === 0 ? [] : [`partitions ${starting.join(', ')} are being taken over`]),
    ];
  }

  stats(): Gauges {
    const connected = this.#reader?.connected ?? false;
    const pending = this.#sum((owner) => owner.unpublished);
    return { waitingCrops: this.#sum((owner) => owner.waiting), publisher: { connected, pending } };
  }

  summary(): InferSummary {
    return {
      events: this.#events,
      activations: this.#activations,
      passedOver: { ...this.#passedOver },
    };
  }

  #own(partition: number): void {
    const owner = new PartitionOwner(
      partition,
      { ...this.#tools, reader: this.#reader!, turns: this.#turns },
      {
        committed: (frames, activations) => this.#committed(frames, activations),
        passedOver: (cause, crops, cameraId) => {
          this.#passedOver[cause] += crops;
          if (cause === 'undecodable') lost(cameraId, crops, 'crop_undecodable');
          else diagnostics.passedOver.publish({ cameraId, count: crops, cause });
          log.debug({ partition, cameraId, cause, crops }, 'crops passed over');
        },
        expired: (records) => lost(UNKNOWN, records, 'crop_expired'),
        failed: this.#fail,
      },
    );
    this.#owners.set(partition, owner);
  }

  #committed(frames: readonly AuFrame[], activations: readonly AuActivation[]): void {
    this.#events += frames.length;
    this.#activations += activations.length;
    if (diagnostics.acknowledged.hasSubscribers) {
      const at = nowMicros();
      for (const frame of frames) diagnostics.acknowledged.publish({ frame, at });
    }
    if (frames.length > 0) this.#observer.frames?.(frames);
    if (activations.length > 0) this.#observer.activations?.(activations);
  }

  async #letGo(partition: number): Promise<void> {
    const owner = this.#owners.get(partition);
    this.#owners.delete(partition);
    await owner?.close();
  }

  /** Backpressure: reads no further while as many crops wait as the config allows. */
  #balance(): void {
    const { maxWaiting } = this.#tools.infer;
    const waiting = this.#sum((owner) => owner.waiting);
    try {
      if (waiting >= maxWaiting) this.#reader!.pause();
      else if (waiting < maxWaiting / 2) this.#reader!.resume();
    } catch (error) {
      // A partition may just have gone: the next look sees.
      log.debug(`backpressure: ${(error as Error).message}`);
    }
  }

  #sum(of: (owner: PartitionOwner) => number): number {
    return [...this.#owners.values()].reduce((sum, owner) => sum + of(owner), 0);
  }
}

function lost(cameraId: string, count: number, cause: string): void {
  diagnostics.lost.publish({ cameraId, count, cause });
}
