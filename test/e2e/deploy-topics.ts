import { Kafka, logLevel } from 'kafkajs';
import { consume } from '../../src/consume/index.ts';

const idOf = (cameraId: string, epoch: number, trackId: number, frame: number) =>
  `${cameraId}/${epoch}/${trackId}/${frame}`;

/** The faces on a cluster's crops and frames topics, as a read_committed consumer gets them, each once per record. */
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

  /** Records that a group has not come to yet, over all partitions of a topic, by its committed offsets. */
  async lag(groupId: string, topic: string): Promise<number> {
    const admin = new Kafka({ brokers: [this.#brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      const ends = await admin.fetchTopicOffsets(topic);
      const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
      const at = new Map(committed!.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
      // Nothing committed, nothing read: −1 counts from the beginning.
      return ends.reduce(
        (sum, { partition, low, high }) =>
          sum + Number(high) - Math.max(Number(low), at.get(partition) ?? -1),
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
    const places = new Set<string>();
    for await (const event of consume({
      brokers: [this.#brokers],
      topics: ['au.crops', 'au.frames'],
      groupId: 'deploy-test',
      fromBeginning: true,
      commit: false,
      signal: this.#stop.signal,
    })) {
      // This consumer may be given again what it had: the same place is the same record.
      const place = `${event.topic}/${event.partition}/${event.offset}`;
      if (places.has(place)) continue;
      places.add(place);
      if (event.record === 'FaceCropBatch') {
        const { cameraId, epoch, trackId, crops } = event.value;
        this.crops.push(...crops.map(({ frame }) => idOf(cameraId, epoch, trackId, frame)));
      }
      if (event.record === 'AuFrame') {
        const { cameraId, epoch, trackId, frame } = event.value;
        this.frames.push(idOf(cameraId, epoch, trackId, frame));
      }
    }
  }
}
