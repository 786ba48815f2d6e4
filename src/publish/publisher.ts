import { wallMicros } from '../clock.ts';
import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuActivation, AuFrame, FrameHead } from '../domain/event.ts';
import type { Micros } from '../domain/frame.ts';
import type { TopicDelivery } from '../domain/topic-delivery.ts';
import { faceKey } from '../domain/track-key.ts';
import { AustreamError } from '../errors.ts';
import { createMissingTopics, withAdmin } from '../kafka/admin.ts';
import { EmbeddedBroker } from '../kafka/embedded-broker.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { RepeatedWarning } from '../log.ts';
import { RecordEncoder, type RecordName } from '../records/avro.ts';
import { deadLetter } from '../records/dead-letter.ts';
import { decodeFrameHead } from '../records/frame-head.ts';
import { SchemaIds } from '../records/schema-ids.ts';
import { topicNames, topicSpecs } from '../records/topics.ts';
import { deliveryChange, Lane } from './lane.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { OutboxEntry } from './outbox.ts';
import { SpoolFolder } from './spool-folder.ts';
import { AS_ENCODED, confluentFormat, type HoldReason, type WireFormat } from './wire-format.ts';

export interface PublisherEvents {
  /** The brokers have acknowledged this frame, at `at`. */
  acknowledged(frame: FrameHead, at: Micros): void;
  /** Events were lost for good. `cause` is machine-readable, e.g. `spool_full`. */
  dropped(cameraId: string, count: number, cause: string): void;
  /** The connection was lost or restored. Meanwhile events wait. */
  connection?(state: 'connected' | 'unreachable', detail: string): void;
  /** The spool's disk refuses writes, or takes them again. Meanwhile events wait in memory. */
  spool?(state: 'failing' | 'working', detail: string): void;
  /** A topic's events are held for `cause`, or delivered again. */
  delivery?(topic: string, state: 'delivering' | 'held', cause: string, detail: string): void;
}

export interface PublisherStats {
  readonly connected: boolean;
  /** Events that are not acknowledged yet: in memory, in flight or in the spool. */
  readonly pending: number;
  /** Pending events that are not in flight: in memory or in the spool. */
  readonly waiting: number;
  /** New events go to the spool. */
  readonly spooling: boolean;
  readonly spoolBytes: number;
  readonly acknowledged: number;
  readonly dropped: number;
  readonly topics: readonly TopicDelivery[];
}

/** Publishes events to Kafka topics, at least once and in order per face. */
export interface Publisher {
  /** host:port of the brokers, comma-separated. */
  readonly brokers: string;
  /** Never blocks: events wait in bounded memory, then in the spool. */
  frames(frames: readonly AuFrame[]): void;
  activations(activations: readonly AuActivation[]): void;
  status(status: CameraStatus): void;
  /** The camera was removed: a tombstone deletes its status from the topic. */
  removed(cameraId: string): void;
  stats(): PublisherStats;
  /** Resolves when all events are acknowledged. Rejects with KAFKA_UNREACHABLE after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>;
  /** Closes at once. Unacknowledged events go to the spool; without a spool they are lost and counted. */
  close(): Promise<void>;
}

const WINDOW = { windowMessages: 10_000, windowBytes: 16 * 1024 * 1024 };
const PUBLISHED_RECORDS = [
  'AuFrame',
  'AuActivation',
  'CameraStatus',
] as const satisfies readonly RecordName[];
type PublishedRecord = (typeof PUBLISHED_RECORDS)[number];

/**
 * Finds the schemas' ids, connects, creates missing topics and starts delivery of these records. Throws KAFKA_UNREACHABLE if
 * no broker answers in time, unless there is a spool: then events wait in it until a broker answers. Also throws
 * KAFKA_REJECTED, REGISTRY_UNREACHABLE, REGISTRY_REJECTED and SPOOL_UNUSABLE.
 */
export async function openPublisher(
  options: KafkaOptions,
  events: PublisherEvents,
  records: readonly PublishedRecord[] = PUBLISHED_RECORDS,
): Promise<Publisher> {
  const losses = new LossCounter(events);
  const embedded = options.embedded
    ? await EmbeddedBroker.start(options, Object.values(topicNames(options.topicPrefix)))
    : null;
  const spool = options.spool
    ? await SpoolFolder.open(options.spool, {
        lost: (key, cause) => losses.add(key, cause),
        disk: (state, detail) => events.spool?.(state, detail),
      })
    : null;
  const kafka = embedded
    ? { ...options, embedded: false, brokers: embedded.brokers, topics: { ...options.topics, create: false } }
    : options;
  const publisher = new KafkaPublisher(kafka, events, losses, spool, embedded);
  try {
    await publisher.open(records);
    return publisher;
  } catch (error) {
    await publisher.close();
    throw error;
  }
}

/** Counts lost events and reports them. */
class LossCounter {
  total = 0;
  readonly #events: PublisherEvents;

  constructor(events: PublisherEvents) {
    this.#events = events;
  }

  /** `key` is `cameraId` or `cameraId/trackId`. */
  add(key: string, cause: string): void {
    this.total += 1;
    this.#events.dropped(key.split('/', 1)[0]!, 1, cause);
  }
}

class KafkaPublisher implements Publisher {
  readonly brokers: string;
  readonly #options: KafkaOptions;
  readonly #events: PublisherEvents;
  readonly #topics: Readonly<Record<RecordName, string>>;
  readonly #encoders: Readonly<Record<PublishedRecord | 'DeadLetter', RecordEncoder>>;
  readonly #losses: LossCounter;
  readonly #spool: SpoolFolder | null;
  readonly #embedded: EmbeddedBroker | null;
  readonly #memory: MemoryBudget;
  readonly #lanes = new Map<string, Lane>();
  readonly #unreachable = new Set<string>();
  #state: 'connected' | 'unreachable' | null = null;
  readonly #warning = new RepeatedWarning({});
  /** Resolves when the topic of dead letters is there, or cannot be created. */
  #deadLetterTopic: Promise<void> = Promise.resolve();
  /** When the acknowledgements of this turn of the event loop came; null before the first one. */
  #reportsAt: Micros | null = null;
  /** Null without a schema registry. */
  #ids: SchemaIds | null = null;
  #wire: WireFormat = AS_ENCODED;

  constructor(
    options: KafkaOptions,
    events: PublisherEvents,
    losses: LossCounter,
    spool: SpoolFolder | null,
    embedded: EmbeddedBroker | null,
  ) {
    this.brokers = options.brokers!.join(',');
    this.#options = options;
    this.#events = events;
    this.#losses = losses;
    this.#spool = spool;
    this.#embedded = embedded;
    this.#memory = new MemoryBudget(options.memoryMegabytes * 1024 * 1024);
    this.#topics = topicNames(options.topicPrefix);
    this.#encoders = Object.fromEntries(
      [...PUBLISHED_RECORDS, 'DeadLetter' as const].map((record) => [record, new RecordEncoder(record)]),
    ) as Record<PublishedRecord | 'DeadLetter', RecordEncoder>;
  }

  async open(records: readonly PublishedRecord[]): Promise<void> {
    await this.#openSchemaIds(records);
    const retryInBackground = this.#spool !== null;
    const published = records.map((record) => this.#lane(this.#topics[record]));
    // Also topics of an earlier process with another prefix.
    const left = (this.#spool?.topics ?? []).filter((topic) => this.#spool!.topic(topic).waiting > 0);
    await Promise.all(published.map((lane) => lane.open({ retryInBackground })));
    await this.#deadLetterTopic;
    for (const topic of left) if (!this.#lanes.has(topic)) this.#openInBackground(this.#lane(topic));
  }

  frames(frames: readonly AuFrame[]): void {
    // A frame that is sent at once is kept for `acknowledged`. A frame that must wait is kept as bytes only, which takes
    // less memory; its head is decoded when it is acknowledged.
    const keepFrame = this.#lane(this.#topics.AuFrame).outbox.waiting === 0;
    this.#add('AuFrame', frames, faceKey, keepFrame);
  }

  activations(activations: readonly AuActivation[]): void {
    this.#add('AuActivation', activations, faceKey);
  }

  status(status: CameraStatus): void {
    this.#add('CameraStatus', [status], ({ cameraId }) => cameraId);
  }

  removed(cameraId: string): void {
    const topic = this.#topics.CameraStatus;
    this.#lane(topic).outbox.add([{ topic, key: cameraId, value: null }]);
  }

  stats(): PublisherStats {
    const topics = this.#all.map((lane) => lane.delivery());
    const sum = (of: (topic: TopicDelivery) => number) =>
      topics.reduce((total, topic) => total + of(topic), 0);
    return {
      connected: this.#all.every(({ reason }) => reason === null),
      pending: sum(({ pending }) => pending),
      waiting: sum(({ waiting }) => waiting),
      spooling: this.#all.some(({ outbox }) => outbox.spooling),
      spoolBytes: this.#spool?.bytes ?? 0,
      acknowledged: sum(({ acknowledged }) => acknowledged),
      dropped: this.#losses.total,
      topics,
    };
  }

  async flush(timeoutMs: number): Promise<void> {
    const drained = await Promise.all(this.#all.map(({ outbox }) => outbox.drained(timeoutMs)));
    if (!drained.includes(false)) return;
    const { pending, spooling, topics } = this.stats();
    const held = topics.find((topic) => topic.held)?.held;
    throw new AustreamError(
      'KAFKA_UNREACHABLE',
      [
        `${pending} events were not acknowledged within ${timeoutMs / 1000} s`,
        ...(held ? [`${held.cause}: ${held.detail}`] : []),
        ...(spooling ? ['they are in the spool'] : []),
      ].join('; '),
      { fix: 'check that the brokers run and can be reached, and that this user may write the topics' },
    );
  }

  async close(): Promise<void> {
    this.#ids?.close();
    await Promise.all(this.#all.map((lane) => lane.close()));
    await this.#spool?.close();
    await this.#embedded?.close();
  }

  get #all(): Lane[] {
    return [...this.#lanes.values()];
  }

  /** Without the registry a spooling process starts: events wait until their schemas' ids are known. */
  async #openSchemaIds(records: readonly PublishedRecord[]): Promise<void> {
    const { registry, topicPrefix, connectSeconds, spool } = this.#options;
    if (!registry) return;
    this.#ids = await SchemaIds.open({
      ...{ registry, topicPrefix, connectSeconds },
      records,
      folder: spool?.dir ?? null,
      changed: () => {
        for (const lane of this.#lanes.values()) lane.wireFormatKnown();
      },
    });
    this.#wire = confluentFormat(this.#ids);
  }

  #lane(topic: string): Lane {
    const known = this.#lanes.get(topic);
    if (known) return known;
    const lane = new Lane(
      {
        kafka: this.#options,
        topic,
        spec: topicSpecs(this.#options).find(({ name }) => name === topic) ?? null,
        memory: this.#memory,
        ...WINDOW,
        disk: this.#spool?.topic(topic) ?? null,
        wire: this.#wire,
      },
      {
        delivered: (entry) => this.#delivered(entry),
        dropped: (entry, cause) => this.#dropped(entry, cause),
        changed: (name, reason) => this.#changed(name, reason),
      },
    );
    this.#lanes.set(topic, lane);
    return lane;
  }

  async #ensureDeadLetterTopic(): Promise<void> {
    const spec = topicSpecs(this.#options).find(({ name }) => name === this.#topics.DeadLetter)!;
    if (!this.#options.topics.create) return;
    await withAdmin(this.#options, (admin) => createMissingTopics(admin, [spec])).catch((error: Error) =>
      this.#warning.warn(`the topic ${spec.name} cannot be created: ${error.message}`),
    );
  }

  #openInBackground(lane: Lane): void {
    // Without brokers or rights the lane waits; nobody waits for it.
    lane.open({ retryInBackground: true }).catch((error: Error) => this.#warning.warn(error.message));
  }

  #add<T>(
    record: PublishedRecord,
    events: readonly T[],
    keyOf: (event: T) => string,
    keepEvent = false,
  ): void {
    const topic = this.#topics[record];
    const entries: Omit<OutboxEntry, 'seq'>[] = [];
    for (const event of events)
      try {
        const value = this.#encoders[record].encode(event);
        entries.push({ topic, key: keyOf(event), value, context: keepEvent ? event : undefined });
      } catch (error) {
        // One event that does not fit the schema concerns no other.
        this.#losses.add(keyOf(event), 'event_invalid');
        this.#warning.warn(`an event is lost, as it does not fit the schema: ${(error as Error).message}`);
      }
    this.#lane(topic).outbox.add(entries);
  }

  #delivered(entry: OutboxEntry): void {
    if (entry.topic !== this.#topics.AuFrame) return;
    const frame = (entry.context as AuFrame | undefined) ?? (entry.value && this.#decodeHead(entry.value));
    if (frame) this.#events.acknowledged(frame, this.#acknowledgedAt());
  }

  /** Reports of many messages come at once, in one turn of the event loop: the clocks are read once for all. */
  #acknowledgedAt(): Micros {
    if (this.#reportsAt === null) {
      this.#reportsAt = wallMicros();
      setImmediate(() => {
        this.#reportsAt = null;
      });
    }
    return this.#reportsAt;
  }

  #dropped(entry: OutboxEntry, cause: string): void {
    if (cause === 'record_too_large' && entry.value) this.#bury(entry, entry.value);
    this.#losses.add(entry.key, cause);
  }

  /** Keeps the bytes of a record that its topic never takes: in the dead letters, else in the spool's folder. */
  #bury(entry: OutboxEntry, value: Buffer): void {
    const topic = this.#topics.DeadLetter;
    if (entry.topic === topic) {
      this.#spool?.keepUndeliverable(entry, value);
      return;
    }
    const isNew = !this.#lanes.has(topic);
    const lane = this.#lane(topic);
    if (isNew) this.#openInBackground(lane);
    const letter = deadLetter({
      group: this.#options.clientId,
      ...{ topic: entry.topic, partition: -1, offset: -1 },
      ...{ key: Buffer.from(entry.key), value, reason: 'unknown' },
      detail: `the record of ${value.length} bytes is larger than max.message.bytes of ${entry.topic}`,
    });
    lane.outbox.add([{ topic, key: entry.key, value: this.#encoders.DeadLetter.encode(letter) }]);
  }

  #changed(topic: string, reason: HoldReason | null): void {
    if (reason?.cause === 'kafka_unreachable') this.#unreachable.add(topic);
    else this.#unreachable.delete(topic);
    const state = this.#unreachable.size > 0 ? 'unreachable' : 'connected';
    if (state !== this.#state) this.#events.connection?.(state, reason?.detail ?? this.brokers);
    // Consumers write dead letters. Brokers that are back may have lost the topic.
    if (state === 'connected' && state !== this.#state) this.#deadLetterTopic = this.#ensureDeadLetterTopic();
    this.#state = state;
    this.#events.delivery?.(...deliveryChange(topic, reason));
  }

  /** Null for a spooled frame of an earlier process with another schema or registry; it is delivered unchanged. */
  #decodeHead(value: Buffer): FrameHead | null {
    const { header } = this.#encoders.AuFrame;
    if (!value.subarray(0, header.length).equals(header)) return null;
    return decodeFrameHead(value, header.length);
  }
}
