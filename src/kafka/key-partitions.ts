import kafkajs from 'kafkajs';

/** Keys that are remembered; then all are computed anew. */
const MAX_KEYS = 10_000;

/**
 * The partition of each key, for a fixed number of partitions: murmur2, as the Java client, kafkajs and librdkafka's
 * `murmur2_random` choose it.
 */
export class KeyPartitions {
  readonly count: number;
  readonly #partitions: { partitionId: number; leader: number }[];
  readonly #known = new Map<string, number>();
  // kafkajs is CommonJS: Node finds no named export Partitioners.
  readonly #partitioner = kafkajs.Partitioners.DefaultPartitioner();

  constructor(count: number) {
    this.count = count;
    this.#partitions = Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 0 }));
  }

  of(key: string): number {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_KEYS) this.#known.clear();
    const partition = this.#partitioner({
      topic: '',
      partitionMetadata: this.#partitions as never,
      message: { key, value: null },
    });
    this.#known.set(key, partition);
    return partition;
  }
}
