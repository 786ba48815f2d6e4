import { wallMicros } from '../clock.ts';
import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuActivation, AuFrame } from '../domain/event.ts';
import type { Micros } from '../domain/frame.ts';
import { faceKey } from '../domain/track-key.ts';
import { AustreamError } from '../errors.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { RecordEncoder, type RecordName, recordType } from '../records/avro.ts';
import { SchemaIds } from '../records/schema-ids.ts';
import { topicNames } from '../records/topics.ts';
import { BrokerConnection } from './broker-connection.ts';
import { type InFlightMessage, Outbox, type OutboxEntry } from './outbox.ts';
import { Spool } from './spool.ts';

/** An AuFrame as decoded from the topic: the schema has no field `interval`. */
export type DeliveredFrame = Omit<AuFrame, 'interval'>;

export interface PublisherEvents {
  /** The brokers have acknowledged this frame, at `at`. */
  acknowledged(frame: DeliveredFrame, at: Micros): void;
  /** Events were lost for good. `cause` is machine-readable, e.g. `spool_full`. */
  dropped(cameraId: string, count: number, cause: string): void;
  /** The connection was lost or restored. Meanwhile events wait. */
  connection?(state: 'connected' | 'unreachable', detail: string): void;
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
}

/** Publishes events to Kafka topics, at least once and in order per face. */
export interface Publisher {
  /** host:port of the brokers, comma-separated. */
  readonly brokers: string;
  /** Never blocks: events wait in bounded memory, then in the spool. */
  frames(frames: readonly AuFrame[]): void;
  activations(activations: readonly AuActivation[]): void;
  status(status: CameraStatus): void;
  stats(): PublisherStats;
  /** Resolves when all events are acknowledged. Rejects with KAFKA_UNREACHABLE after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>;
  /** Closes at once. Unacknowledged events go to the spool; without a spool they are lost and counted. */
  close(): Promise<void>;
}

const WINDOW = { windowMessages: 10_000, windowBytes: 16 * 1024 * 1024, releaseEvery: 256 };
const PUBLISHED_RECORDS = [
  'AuFrame',
  'AuActivation',
  'CameraStatus',
] as const satisfies readonly RecordName[];
type PublishedRecord = (typeof PUBLISHED_RECORDS)[number];

/**
 * Finds the schemas' ids, connects, creates missing topics and starts delivery. Throws KAFKA_UNREACHABLE if no broker
 * answers in time, unless there is a spool: then events wait in it until a broker answers. Also throws KAFKA_REJECTED,
 * REGISTRY_UNREACHABLE, REGISTRY_REJECTED and SPOOL_UNUSABLE.
 */
export async function openPublisher(options: KafkaOptions, events: PublisherEvents): Promise<Publisher> {
  const losses = new LossCounter(events);
  const spool = options.spool
    ? await Spool.open(options.spool, (key, cause) => losses.add(key, cause))
    : null;
  try {
    return await KafkaPublisher.open(options, events, losses, spool);
  } catch (error) {
    await spool?.close();
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
  readonly #events: PublisherEvents;
  readonly #topics: Readonly<Record<RecordName, string>>;
  readonly #encoders: Readonly<Record<PublishedRecord, RecordEncoder>>;
  readonly #losses: LossCounter;
  readonly #spool: Spool | null;
  readonly #outbox: Outbox;
  readonly #connection: BrokerConnection;
  /** Null without a schema registry. */
  #ids: SchemaIds | null = null;
  #acknowledged = 0;

  static async open(
    options: KafkaOptions,
    events: PublisherEvents,
    losses: LossCounter,
    spool: Spool | null,
  ): Promise<Publisher> {
    const publisher = new KafkaPublisher(options, events, losses, spool);
    try {
      await publisher.#openSchemaIds(options);
      await publisher.#connection.open({ retryInBackground: spool !== null });
    } catch (error) {
      publisher.#ids?.close();
      await publisher.#connection.close();
      throw error;
    }
    return publisher;
  }

  private constructor(
    options: KafkaOptions,
    events: PublisherEvents,
    losses: LossCounter,
    spool: Spool | null,
  ) {
    this.#events = events;
    this.#losses = losses;
    this.#spool = spool;
    this.#topics = topicNames(options.topicPrefix);
    this.#encoders = Object.fromEntries(
      PUBLISHED_RECORDS.map((record) => [record, new RecordEncoder(record)]),
    ) as Record<PublishedRecord, RecordEncoder>;
    this.#outbox = new Outbox(
      { ...WINDOW, memoryBytes: options.memoryMegabytes * 1024 * 1024 },
      {
        send: (message) => this.#send(message),
        delivered: (entry) => this.#delivered(entry),
        dropped: (entry, cause) => losses.add(entry.key, cause),
      },
      spool,
    );
    this.#connection = new BrokerConnection(options, this.#outbox, (state, detail) =>
      events.connection?.(state, detail),
    );
  }

  get brokers(): string {
    return this.#connection.brokers;
  }

  frames(frames: readonly AuFrame[]): void {
    // A frame that is sent at once is kept for `acknowledged`. A frame that must wait is kept as bytes only, which takes
    // less memory, and decoded again when it is acknowledged.
    const keepFrame = this.#outbox.waiting === 0;
    this.#outbox.add(
      frames.map((frame) => ({
        topic: this.#topics.AuFrame,
        key: faceKey(frame),
        value: this.#encoders.AuFrame.encode(frame),
        context: keepFrame ? frame : undefined,
      })),
    );
  }

  activations(activations: readonly AuActivation[]): void {
    this.#outbox.add(
      activations.map((activation) => ({
        topic: this.#topics.AuActivation,
        key: faceKey(activation),
        value: this.#encoders.AuActivation.encode(activation),
      })),
    );
  }

  status(status: CameraStatus): void {
    const value = this.#encoders.CameraStatus.encode(status);
    this.#outbox.add([{ topic: this.#topics.CameraStatus, key: status.cameraId, value }]);
  }

  stats(): PublisherStats {
    return {
      connected: this.#connection.connected && !this.#isHeld,
      pending: this.#outbox.pending,
      waiting: this.#outbox.waiting,
      spooling: this.#outbox.spooling,
      spoolBytes: this.#spool?.bytes ?? 0,
      acknowledged: this.#acknowledged,
      dropped: this.#losses.total,
    };
  }

  async flush(timeoutMs: number): Promise<void> {
    if (await this.#outbox.drained(timeoutMs)) return;
    const spooled = this.#outbox.spooling ? '; they are in the spool' : '';
    throw new AustreamError(
      'KAFKA_UNREACHABLE',
      `${this.#outbox.pending} events were not acknowledged within ${timeoutMs / 1000} s${spooled}`,
      { fix: 'check that the brokers run and can be reached' },
    );
  }

  async close(): Promise<void> {
    this.#ids?.close();
    this.#outbox.close('closed_before_delivery');
    await this.#connection.close();
    await this.#spool?.close();
  }

  /** Without the registry a spooling process starts: events wait until their schemas' ids are known. */
  async #openSchemaIds({ registry, topicPrefix, connectSeconds, spool }: KafkaOptions): Promise<void> {
    if (!registry) return;
    this.#ids = await SchemaIds.open({
      ...{ registry, topicPrefix, connectSeconds },
      records: PUBLISHED_RECORDS,
      folder: spool?.dir ?? null,
      changed: () => this.#outbox.fillWindow(),
    });
  }

  get #isHeld(): boolean {
    return Object.values(this.#encoders).some((encoder) => this.#ids?.header(encoder.fingerprint) === null);
  }

  /** Records are encoded without the registry: the header of their schema is put on when they are sent. */
  #send(message: InFlightMessage): boolean {
    const { value } = message.entry;
    const sent = this.#ids ? this.#ids.toConfluent(value) : value;
    if (sent !== null) return this.#connection.send(message, sent);
    // Nobody knows for how long: the spool outlives this process.
    setImmediate(() => this.#outbox.spooling || this.#outbox.brokersUnreachable());
    return false;
  }

  #delivered(entry: OutboxEntry): void {
    this.#acknowledged += 1;
    if (entry.topic !== this.#topics.AuFrame) return;
    const frame = (entry.context as AuFrame | undefined) ?? this.#decodeFrame(entry.value);
    if (frame) this.#events.acknowledged(frame, wallMicros());
  }

  /** Null for a spooled frame of an earlier process with another schema; such a frame is delivered unchanged. */
  #decodeFrame(value: Buffer): DeliveredFrame | null {
    const { header } = this.#encoders.AuFrame;
    if (!value.subarray(0, header.length).equals(header)) return null;
    try {
      return recordType('AuFrame').fromBuffer(value.subarray(header.length)) as DeliveredFrame;
    } catch {
      // An earlier process may have used another registry, where the id belongs to another schema.
      return null;
    }
  }
}
