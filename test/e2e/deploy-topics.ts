import { Kafka, logLevel } from 'kafkajs';
import { consume } from '../../src/consume/index.ts';

const faceId = (cameraId: string, epoch: number, trackId: number, frame: number) =>
  `${cameraId}/${epoch}/${trackId}/${frame}`;

/** Collects the faces on a cluster's topics au.crops and au.frames with a read_committed consumer, once per record. */
export class TopicReader {
  readonly crops: string[] = [];
  readonly frames: string[] = [];
  readonly #brokers: string;
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;

  constructor(brokers: string) {
    this.#brokers = brokers;
    this.#reading = this.#read();
  }

  /** A group's lag on a topic by its committed offsets, in records, over all partitions. */
  async lag(groupId: string, topic: string): Promise<number> {
    const admin = new Kafka({ brokers: [this.#brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      const ends = await admin.fetchTopicOffsets(topic);
      const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
      const offsets = new Map(
        committed!.partitions.map(({ partition, offset }) => [partition, Number(offset)]),
      );
      // An offset of −1 (nothing committed) counts from the beginning.
      return ends.reduce(
        (sum, { partition, low, high }) =>
          sum + Number(high) - Math.max(Number(low), offsets.get(partition) ?? -1),
        0,
      );
    } finally {
      await admin.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const seen = new Set<string>();
    for await (const event of consume({
      brokers: [this.#brokers],
      topics: ['au.crops', 'au.frames'],
      groupId: 'deploy-test',
      fromBeginning: true,
      commit: false,
      signal: this.#stop.signal,
    })) {
      // The consumer may receive a record twice; its position identifies it.
      const position = `${event.topic}/${event.partition}/${event.offset}`;
      if (seen.has(position)) continue;
      seen.add(position);
      if (event.record === 'FaceCropBatch') {
        const { cameraId, epoch, trackId, crops } = event.value;
        this.crops.push(...crops.map(({ frame }) => faceId(cameraId, epoch, trackId, frame)));
      }
      if (event.record === 'AuFrame') {
        const { cameraId, epoch, trackId, frame } = event.value;
        this.frames.push(faceId(cameraId, epoch, trackId, frame));
      }
    }
  }
}
