import { setTimeout as sleep } from 'node:timers/promises';
import rdkafka from 'node-rdkafka';
import { promisified } from '../../src/kafka/promisified.ts';

/** A message with the place where it was read. `generation` counts the topic's re-creations. */
export interface Collected {
  readonly topic: string;
  readonly generation: number;
  readonly partition: number;
  readonly offset: number;
  readonly value: Buffer;
}

/**
 * Reads committed messages of topics by librdkafka, from the beginning, each offset once, through everything that happens
 * to the brokers. It has no group: the positions are its own. `recreated` says that a topic begins again at 0.
 */
export class Collector {
  readonly #brokers: string;
  readonly #topics: readonly string[];
  readonly #onMessage: (message: Collected) => void;
  readonly #generation = new Map<string, number>();
  /** By topic/partition: the next offset. */
  #positions = new Map<string, number>();
  #ending = false;
  #restart = false;
  readonly #reading: Promise<void>;

  constructor(
    brokers: readonly string[],
    topics: readonly string[],
    onMessage: (message: Collected) => void,
  ) {
    this.#brokers = brokers.join();
    this.#topics = topics;
    this.#onMessage = onMessage;
    this.#reading = this.#readForEver();
  }

  /** The topics were deleted: what they have from now on begins at offset 0. */
  recreated(...topics: readonly string[]): void {
    for (const topic of topics) {
      this.#generation.set(topic, (this.#generation.get(topic) ?? 0) + 1);
      for (const key of this.#positions.keys()) if (key.startsWith(`${topic}/`)) this.#positions.delete(key);
    }
    this.#restart = true;
  }

  async stop(): Promise<void> {
    this.#ending = true;
    await this.#reading;
  }

  async #readForEver(): Promise<void> {
    while (!this.#ending) {
      this.#restart = false;
      await this.#read().catch(() => {});
      await sleep(500);
    }
  }

  async #read(): Promise<void> {
    const consumer = new rdkafka.KafkaConsumer(
      {
        'bootstrap.servers': this.#brokers,
        'group.id': 'torture-collector',
        'isolation.level': 'read_committed',
        'enable.auto.commit': false,
        'reconnect.backoff.max.ms': 1000,
      },
      { 'auto.offset.reset': 'earliest' },
    );
    consumer.on('event.error', () => {});
    try {
      await promisified<rdkafka.Metadata>((done) => consumer.connect({ timeout: 5_000 }, done));
      consumer.setDefaultConsumeTimeout(200);
      let assigned = '';
      for (let turn = 0; !this.#ending && !this.#restart; turn += 1) {
        if (turn % 10 === 0) {
          const metadata = await promisified<rdkafka.Metadata>((done) =>
            consumer.getMetadata({ timeout: 5_000 }, done),
          );
          const partitions = metadata.topics
            .filter(({ name }) => this.#topics.includes(name))
            .flatMap(({ name, partitions }) => partitions.map(({ id }) => ({ topic: name, partition: id })))
            .map((place) => ({
              ...place,
              offset: this.#positions.get(`${place.topic}/${place.partition}`) ?? 0,
            }));
          const now = partitions
            .map(({ topic, partition }) => `${topic}/${partition}`)
            .sort()
            .join();
          if (now !== assigned) consumer.assign(partitions);
          assigned = now;
        }
        const messages = await promisified<rdkafka.Message[]>((done) => consumer.consume(1000, done));
        if (this.#restart) break;
        for (const { topic, partition, offset, value } of messages) {
          const key = `${topic}/${partition}`;
          if (offset < (this.#positions.get(key) ?? 0)) continue;
          this.#positions.set(key, offset + 1);
          if (!value) continue;
          this.#onMessage({
            ...{ topic, partition, offset, value },
            generation: this.#generation.get(topic) ?? 0,
          });
        }
      }
    } finally {
      await new Promise<void>((resolve) => {
        if (consumer.isConnected()) consumer.disconnect(() => resolve());
        else resolve();
      });
    }
  }
}
