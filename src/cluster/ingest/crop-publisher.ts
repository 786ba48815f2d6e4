import { Mutex } from 'async-mutex';
import type { TopicDelivery } from '../../domain/topic-delivery.ts';
import { faceKey } from '../../domain/track-key.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import { RepeatedWarning } from '../../log.ts';
import { deliveryChange, Lane } from '../../publish/lane.ts';
import { MemoryBudget } from '../../publish/memory-budget.ts';
import { AS_ENCODED } from '../../publish/wire-format.ts';
import type { FaceCropBatch } from '../../records/events.ts';
import { openEncoders, type RegisteredEncoders } from '../../records/registered-encoders.ts';
import { NO_TRACK } from '../crop-record.ts';
import type { ClusterOptions } from '../options.ts';
import { PixelEncoder } from '../pixel-codec.ts';
import { clusterTopicSpecs, clusterTopics } from '../topics.ts';
import { FileWindow } from './file-window.ts';

export interface CropPublisherEvents {
  /** Crops are lost for good. */
  dropped(cameraId: string, crops: number, cause: string): void;
  /** The topic's crops are held for `cause`, or delivered again. */
  delivery?(topic: string, state: 'delivering' | 'held', cause: string, detail: string): void;
}

/** Bounds what librdkafka holds in flight; the rest waits in the outbox, which can still drop it. */
const IN_FLIGHT = { windowMessages: 1_000, windowBytes: 32 * 1024 * 1024 };
/** Files wait while more records of files than this are unacknowledged. */
const MAX_FILE_RECORDS = 32;
/** While this many records wait for the pixel encoder, new crops of live cameras are dropped. */
const MAX_ENCODING_QUEUE = 64;

/** What the outbox keeps with a record. */
interface RecordContext {
  readonly crops: number;
  /** Of the files, if the record is a file's. */
  readonly window: FileWindow | null;
}

/**
 * Publishes crop records in order. While the brokers are unreachable, records of live cameras wait in bounded memory;
 * when it is full, the oldest are dropped and counted. They are never spooled to disk, because they are pictures of
 * faces. Files wait.
 */
export class CropPublisher {
  readonly #topic: string;
  readonly #pixels: PixelEncoder;
  readonly #registered: RegisteredEncoders<'FaceCropBatch'>;
  readonly #lane: Lane;
  readonly #events: CropPublisherEvents;
  readonly #files = new FileWindow(MAX_FILE_RECORDS);
  /** One record is encoded at a time, so that records are published in order. */
  readonly #encoding = new Mutex();
  readonly #warning = new RepeatedWarning({});
  /** Records that wait for the pixel encoder or are in it. */
  #encodingQueue = 0;

  /** Creates missing topics. Throws KAFKA_UNREACHABLE, KAFKA_REJECTED and the registry's errors. */
  static async open(
    kafka: KafkaOptions,
    cluster: ClusterOptions,
    events: CropPublisherEvents,
  ): Promise<CropPublisher> {
    const registered = await openEncoders(kafka, ['FaceCropBatch']);
    const { crops: topic } = clusterTopics(kafka.topicPrefix);
    const spec = clusterTopicSpecs(kafka).find(({ name }) => name === topic)!;
    const lane = new Lane(
      {
        kafka: { ...kafka, compression: cluster.crops.compression, lingerMs: Math.min(5, kafka.lingerMs) },
        topic,
        spec,
        memory: new MemoryBudget(kafka.memoryMegabytes * 1024 * 1024),
        ...IN_FLIGHT,
        disk: null,
        wire: AS_ENCODED,
      },
      {
        delivered: ({ context }) => (context as RecordContext).window?.settled(),
        dropped: ({ key, context }, cause) => {
          const { crops, window } = context as RecordContext;
          window?.settled();
          events.dropped(key.split('/', 1)[0]!, crops, cause);
        },
        changed: (name, reason) => events.delivery?.(...deliveryChange(name, reason)),
      },
    );
    try {
      await lane.open({ retryInBackground: false });
    } catch (error) {
      registered.close();
      await lane.close();
      throw error;
    }
    return new CropPublisher(topic, new PixelEncoder(cluster.crops), registered, lane, events);
  }

  private constructor(
    topic: string,
    pixels: PixelEncoder,
    registered: RegisteredEncoders<'FaceCropBatch'>,
    lane: Lane,
    events: CropPublisherEvents,
  ) {
    this.#topic = topic;
    this.#pixels = pixels;
    this.#registered = registered;
    this.#lane = lane;
    this.#events = events;
  }

  get connected(): boolean {
    return this.#lane.reason === null;
  }

  /** How the delivery of the crops goes. */
  get delivery(): TopicDelivery {
    return this.#lane.delivery();
  }

  /** Records that no broker has acknowledged yet. */
  get pending(): number {
    return this.#encodingQueue + this.#lane.outbox.pending;
  }

  /** Resolves when the records are encoded and queued. Crops of live cameras are dropped while the encoder is overloaded. */
  async publish(batches: readonly FaceCropBatch[]): Promise<void> {
    // Judged by the queue before this call: records that arrive together are no overload.
    const overloaded = this.#pixels.compresses && this.#encodingQueue >= MAX_ENCODING_QUEUE;
    const encoded: Promise<void>[] = [];
    for (const batch of batches) {
      // Records that begin an epoch or end a track are kept: they are small and would not be sent again.
      if (overloaded && !isFile(batch) && batch.crops.length > 0 && !batch.ended) {
        this.#events.dropped(batch.cameraId, batch.crops.length, 'crop_encoding_overload');
        continue;
      }
      this.#encodingQueue += 1;
      encoded.push(this.#encoding.runExclusive(() => this.#encode(batch)));
    }
    await Promise.all(encoded);
  }

  /** Resolves when the next frame of a file may follow; files wait for the brokers, without a limit of time. */
  roomForFiles(): Promise<void> {
    return this.#files.room();
  }

  /** Resolves with true when the brokers have acknowledged everything, with false after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<boolean> {
    // The mutex is fair: everything that was queued before is encoded.
    await this.#encoding.runExclusive(() => {});
    return this.#lane.outbox.drained(timeoutMs);
  }

  async close(): Promise<void> {
    this.#registered.close();
    await this.#lane.close();
  }

  /** Never rejects: a record that cannot be encoded concerns nobody else. Its track ends all the same. */
  async #encode(batch: FaceCropBatch): Promise<void> {
    const { cameraId, crops, ended } = batch;
    try {
      this.#send(await this.#pixels.encode(batch));
    } catch (error) {
      this.#warning.warn(`crops of ${cameraId} cannot be encoded: ${(error as Error).message}`);
      if (crops.length > 0) this.#events.dropped(cameraId, crops.length, 'crop_encoding_failed');
      if (ended && crops.length > 0) {
        this.#encodingQueue += 1;
        await this.#encode({ ...batch, crops: [] });
      }
    } finally {
      this.#encodingQueue -= 1;
    }
  }

  #send(batch: FaceCropBatch): void {
    const context: RecordContext = {
      crops: batch.crops.length,
      window: isFile(batch) ? this.#files : null,
    };
    const entry = {
      topic: this.#topic,
      key: faceKey(batch),
      value: this.#registered.encoders.FaceCropBatch.encode(batch),
      context,
    };
    // The start of an epoch: tracks of earlier epochs may be in any partition.
    const entries =
      batch.trackId === NO_TRACK
        ? Array.from({ length: this.#lane.partitions }, (_, partition) => ({ ...entry, partition }))
        : [entry];
    for (const { context } of entries) context.window?.sent();
    this.#lane.outbox.add(entries);
  }
}

function isFile({ clockSource }: FaceCropBatch): boolean {
  return clockSource === 'file';
}
