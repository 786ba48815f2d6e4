import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuActivation, AuFrame } from '../domain/event.ts';
import type { Micros } from '../domain/frame.ts';
import { faceKey } from '../domain/track-key.ts';
import { AustreamError } from '../errors.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { RecordEncoder, type RecordName, recordType } from '../records/avro.ts';
import { registerSchemas } from '../records/subjects.ts';
import { topicNames } from '../records/topics.ts';
import { BrokerConnection } from './broker-connection.ts';
import { Outbox, type OutboxEntry } from './outbox.ts';
import { Spool } from './spool.ts';

/** A frame as the topic has it: everything but the stream's nominal interval. */
export type DeliveredFrame = Omit<AuFrame, 'interval'>;

export interface PublisherEvents {
  /** The broker has this frame; `at` is when it said so. */
  acknowledged(frame: DeliveredFrame, at: Micros): void;
  /** Events lost for good, by cause. */
  dropped(cameraId: string, count: number, cause: string): void;
  /** The brokers went away or came back; while they are away, events wait. */
  connection?(state: 'connected' | 'away', detail: string): void;
}

export interface PublisherStats {
  readonly connected: boolean;
  /** Events that no broker has acknowledged yet: in memory, in flight or in the spool. */
  readonly pending: number;
  /** Those of them that are not yet in the producer's hands. */
  readonly waiting: number;
  /** New events go to the spool. */
  readonly spooling: boolean;
  readonly spoolBytes: number;
  readonly acknowledged: number;
  readonly dropped: number;
}

/** Events to topics. */
export interface Publisher {
  /** Where consumers connect: host:port, comma-separated. */
  readonly brokers: string;
  /** Never blocks: events wait in bounded memory, then in the spool. */
  frames(frames: readonly AuFrame[]): void;
  activations(activations: readonly AuActivation[]): void;
  status(status: CameraStatus): void;
  stats(): PublisherStats;
  /** Resolves when everything handed over is acknowledged, or rejects after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>;
  /** Leaves at once: what is not acknowledged goes to the spool, or is lost and counted. */
  close(): Promise<void>;
}

const WINDOW = { windowMessages: 10_000, windowBytes: 16 * 1024 * 1024, releaseEvery: 256 };
const PUBLISHED = ['AuFrame', 'AuActivation', 'CameraStatus'] as const satisfies readonly RecordName[];
type Published = (typeof PUBLISHED)[number];

/**
 * Connects, sees to the topics and the schemas, and starts to deliver. Throws KAFKA_UNREACHABLE where no broker
 * answers in time, unless there is a spool: then events wait in it until one does.
 */
export async function openPublisher(options: KafkaOptions, events: PublisherEvents): Promise<Publisher> {
  const headers = options.registry
    ? await registerSchemas(options.registry, options.topicPrefix, PUBLISHED)
    : undefined;
  const losses = new Losses(events);
  const spool = options.spool ? await Spool.open(options.spool, (key, cause) => losses.of(key, cause)) : null;
  try {
    return await KafkaPublisher.open(options, events, headers, losses, spool);
  } catch (error) {
    await spool?.close();
    throw error;
  }
}

/** Counts what is lost, and says so. */
class Losses {
  total = 0;
  readonly #events: PublisherEvents;

  constructor(events: PublisherEvents) {
    this.#events = events;
  }

  /** Keys are `cameraId` or `cameraId/trackId`. */
  of(key: string, cause: string): void {
    this.total += 1;
    this.#events.dropped(key.split('/', 1)[0]!, 1, cause);
  }
}

class KafkaPublisher implements Publisher {
  readonly #events: PublisherEvents;
  readonly #topics: Readonly<Record<RecordName, string>>;
  readonly #encoders: Readonly<Record<Published, RecordEncoder>>;
  readonly #losses: Losses;
  readonly #spool: Spool | null;
  readonly #outbox: Outbox;
  readonly #link: BrokerConnection;
  #acknowledged = 0;

  static async open(
    options: KafkaOptions,
    events: PublisherEvents,
    headers: ReadonlyMap<RecordName, Buffer> | undefined,
    losses: Losses,
    spool: Spool | null,
  ): Promise<Publisher> {
    const publisher = new KafkaPublisher(options, events, headers, losses, spool);
    await publisher.#link.open({ mayWait: spool !== null });
    return publisher;
  }

  private constructor(
    options: KafkaOptions,
    events: PublisherEvents,
    headers: ReadonlyMap<RecordName, Buffer> | undefined,
    losses: Losses,
    spool: Spool | null,
  ) {
    this.#events = events;
    this.#losses = losses;
    this.#spool = spool;
    this.#topics = topicNames(options.topicPrefix);
    this.#encoders = Object.fromEntries(
      PUBLISHED.map((record) => [record, new RecordEncoder(record, headers?.get(record))]),
    ) as Record<Published, RecordEncoder>;
    this.#outbox = new Outbox(
      { ...WINDOW, memoryBytes: options.memoryMegabytes * 1024 * 1024 },
      {
        send: (flight) => this.#link.send(flight),
        delivered: (entry) => this.#delivered(entry),
        dropped: (entry, cause) => losses.of(entry.key, cause),
      },
      spool,
    );
    this.#link = new BrokerConnection(options, this.#outbox, (state, detail) =>
      events.connection?.(state, detail),
    );
  }

  get brokers(): string {
    return this.#link.brokers;
  }

  frames(frames: readonly AuFrame[]): void {
    // What goes out at once comes back as it is when delivered; what has to wait is kept as bytes only.
    const keep = this.#outbox.waiting === 0;
    this.#outbox.add(
      frames.map((frame) => ({
        topic: this.#topics.AuFrame,
        key: faceKey(frame),
        value: this.#encoders.AuFrame.encode(frame),
        context: keep ? frame : undefined,
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
      connected: this.#link.connected,
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
    const safe = this.#outbox.spooling ? '; they are safe in the spool' : '';
    throw new AustreamError(
      'KAFKA_UNREACHABLE',
      `${this.#outbox.pending} events were not acknowledged within ${timeoutMs / 1000} s${safe}`,
      { fix: 'check that the brokers run and can be reached' },
    );
  }

  async close(): Promise<void> {
    this.#outbox.close('closed_before_delivery');
    await this.#link.close();
    await this.#spool?.close();
  }

  #delivered(entry: OutboxEntry): void {
    this.#acknowledged += 1;
    if (entry.topic !== this.#topics.AuFrame) return;
    const frame = (entry.context as AuFrame | undefined) ?? this.#fromBytes(entry.value);
    if (frame) this.#events.acknowledged(frame, Date.now() * 1000);
  }

  /** Null for what an earlier process left in the spool with another schema: it is delivered as it is. */
  #fromBytes(value: Buffer): DeliveredFrame | null {
    const { header } = this.#encoders.AuFrame;
    if (!value.subarray(0, header.length).equals(header)) return null;
    try {
      return recordType('AuFrame').fromBuffer(value.subarray(header.length)) as DeliveredFrame;
    } catch {
      // A registry's ids are its own: the one before may have given this id to another schema.
      return null;
    }
  }
}
