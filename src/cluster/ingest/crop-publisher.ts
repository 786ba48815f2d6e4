import { faceKey } from '../../domain/track-key.ts';

import { withAdmin } from '../../kafka/admin.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import { BrokerConnection } from '../../publish/broker-connection.ts';
import { Outbox } from '../../publish/outbox.ts';
import { RecordEncoder } from '../../records/avro.ts';
import type { FaceCropBatch } from '../../records/events.ts';
import { registerSchemas } from '../../records/subjects.ts';
import { NO_TRACK } from '../crop-record.ts';
import type { ClusterOptions } from '../options.ts';
import { PixelEncoder } from '../pixel-codec.ts';
import { clusterTopicSpecs, clusterTopics } from '../topics.ts';

export interface CropPublisherEvents {
  /** Crops lost for good, by cause. */
  dropped(cameraId: string, crops: number, cause: string): void;
  connection(state: 'connected' | 'away', detail: string): void;
}

/** At most so much in librdkafka's hands; the rest waits where it can still give way. */
const WINDOW = { windowMessages: 1_000, windowBytes: 32 * 1024 * 1024, releaseEvery: 256 };
/** Files wait while more records than this are on their way. */
const FILE_RECORDS = 32;
/** Records whose pixels wait to be encoded; what comes after them goes, where it is live. */
const ENCODING_RECORDS = 64;

/**
 * Crop records to their topic, in order. While brokers are away live records wait in bounded memory, then the oldest
 * go, counted; never to disk, for they are pictures of faces. Files wait.
 */
export class CropPublisher {
  readonly #topic: string;
  readonly #partitions: number;
  readonly #pixels: PixelEncoder;
  readonly #record: RecordEncoder;
  readonly #outbox: Outbox;
  readonly #link: BrokerConnection;
  readonly #events: CropPublisherEvents;
  #encoding: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  static async open(
    kafka: KafkaOptions,
    cluster: ClusterOptions,
    events: CropPublisherEvents,
  ): Promise<CropPublisher> {
    const headers =
      kafka.registry &&
      (await registerSchemas(kafka.registry, kafka.topicPrefix, ['FaceCropBatch'] as const));
    const { crops: topic } = clusterTopics(kafka.topicPrefix);
    const outbox = new Outbox(
      { ...WINDOW, memoryBytes: kafka.memoryMegabytes * 1024 * 1024 },
      {
        send: (entry) => link.send(entry),
        delivered: () => {},
        dropped: ({ key, context }, cause) => events.dropped(key.split('/', 1)[0]!, context as number, cause),
      },
      null,
    );
    const link: BrokerConnection = new BrokerConnection(
      { ...kafka, compression: cluster.crops.compression, lingerMs: Math.min(5, kafka.lingerMs) },
      outbox,
      events.connection,
      clusterTopicSpecs(kafka),
    );
    await link.open({ mayWait: false });
    const partitions = await withAdmin(kafka, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]!.partitions.length;
    });
    const record = new RecordEncoder('FaceCropBatch', headers?.get('FaceCropBatch'));
    return new CropPublisher(
      topic,
      partitions,
      new PixelEncoder(cluster.crops),
      record,
      outbox,
      link,
      events,
    );
  }

  private constructor(
    topic: string,
    partitions: number,
    pixels: PixelEncoder,
    record: RecordEncoder,
    outbox: Outbox,
    link: BrokerConnection,
    events: CropPublisherEvents,
  ) {
    this.#topic = topic;
    this.#partitions = partitions;
    this.#pixels = pixels;
    this.#record = record;
    this.#outbox = outbox;
    this.#link = link;
    this.#events = events;
  }

  get connected(): boolean {
    return this.#link.connected;
  }

  /** Records that no broker has acknowledged yet. */
  get pending(): number {
    return this.#waiting + this.#outbox.pending;
  }

  /** Resolves when there is room for more: live cameras need not wait for it. */
  async publish(batches: readonly FaceCropBatch[]): Promise<void> {
    // By what waited before: records that come together are no sign of overload.
    const overloaded = this.#pixels.compresses && this.#waiting >= ENCODING_RECORDS;
    for (const batch of batches) {
      const live = batch.clockSource !== 'file';
      // A beginning or an end is small, and nobody would tell of it again.
      if (overloaded && live && batch.crops.length > 0 && !batch.ended) {
        this.#events.dropped(batch.cameraId, batch.crops.length, 'crop_encoding_overload');
        continue;
      }
      this.#waiting += 1;
      this.#encoding = this.#encoding
        .then(() => this.#pixels.encode(batch))
        .then((encoded) => {
          this.#waiting -= 1;
          this.#add(encoded);
        });
    }
    await this.#encoding;
    if (batches.some(({ clockSource }) => clockSource === 'file'))
      while (this.#outbox.pending > FILE_RECORDS) await this.#outbox.drained(1_000);
  }

  /** Resolves when the broker has everything; false when `timeoutMs` was over before. */
  async flush(timeoutMs: number): Promise<boolean> {
    await this.#encoding;
    return this.#outbox.drained(timeoutMs);
  }

  async close(): Promise<void> {
    this.#outbox.close('closed_before_delivery');
    await this.#link.close();
  }

  #add(batch: FaceCropBatch): void {
    const entry = {
      topic: this.#topic,
      key: faceKey(batch),
      value: this.#record.encode(batch),
      context: batch.crops.length,
    };
    if (batch.trackId !== NO_TRACK) this.#outbox.add([entry]);
    // Tracks of the epochs before may be in any partition.
    else
      this.#outbox.add(Array.from({ length: this.#partitions }, (_, partition) => ({ ...entry, partition })));
  }
}
