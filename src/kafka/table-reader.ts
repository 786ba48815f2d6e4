import rdkafka from 'node-rdkafka';
import { rdkafkaConnection } from './connection.ts';
import { promisified } from './group-reader.ts';
import { kafkaFailure } from './kafkajs-errors.ts';
import type { KafkaOptions } from './options.ts';
import { Turns } from './turns.ts';

const POLL_MS = 20;
const MESSAGES_AT_ONCE = 500;
/** A partition that does not come to its end in this time is not read. */
const READ_MS = 30_000;

/** Reads partitions of a compacted topic as what they are: a table of the newest value of each key. */
export class TableReader {
  readonly #consumer: rdkafka.KafkaConsumer;
  readonly #topic: string;
  readonly #turns = new Turns(1);
  #ended: number[] = [];

  private constructor(kafka: KafkaOptions, topic: string) {
    this.#topic = topic;
    this.#consumer = new rdkafka.KafkaConsumer(
      {
        ...rdkafkaConnection(kafka),
        // Never joined: partitions are named, not shared out.
        'group.id': `${topic}-table`,
        'isolation.level': 'read_committed',
        'enable.auto.commit': false,
        'enable.partition.eof': true,
        'fetch.wait.max.ms': 10,
      },
      { 'auto.offset.reset': 'earliest' },
    );
    this.#consumer.on('partition.eof', ({ partition }) => this.#ended.push(partition));
    this.#consumer.on('event.error', () => {});
  }

  /** Throws KAFKA_UNREACHABLE. */
  static async open(kafka: KafkaOptions, topic: string): Promise<TableReader> {
    const reader = new TableReader(kafka, topic);
    await promisified<unknown>((done) =>
      reader.#consumer.connect({ timeout: kafka.connectSeconds * 1_000 }, done),
    ).catch((error) => {
      throw kafkaFailure(error, kafka.brokers!);
    });
    reader.#consumer.setDefaultConsumeTimeout(POLL_MS);
    return reader;
  }

  /** Every key of a partition with its newest committed value. */
  read(partition: number): Promise<Map<string, Buffer>> {
    return this.#turns.run(() => this.#read(partition));
  }

  async close(): Promise<void> {
    await this.#turns.run(
      () =>
        new Promise<void>((resolve) => {
          this.#consumer.disconnect(() => resolve());
        }),
    );
  }

  async #read(partition: number): Promise<Map<string, Buffer>> {
    const table = new Map<string, Buffer>();
    const until = Date.now() + READ_MS;
    this.#ended = [];
    this.#consumer.assign([{ topic: this.#topic, partition, offset: 0 }]);
    try {
      while (!this.#ended.includes(partition)) {
        if (Date.now() > until) throw new Error(`${this.#topic}/${partition} cannot be read to its end`);
        const messages = await promisified<rdkafka.Message[]>((done) =>
          this.#consumer.consume(MESSAGES_AT_ONCE, done),
        );
        for (const { key, value, partition: from } of messages) {
          if (from !== partition || !key) continue;
          if (value) table.set(key.toString(), value);
          else table.delete(key.toString());
        }
      }
    } finally {
      this.#consumer.unassign();
    }
    return table;
  }
}
