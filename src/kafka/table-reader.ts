import { Mutex } from 'async-mutex';
import rdkafka from 'node-rdkafka';
import { monotonicMs } from '../clock.ts';
import { AustreamError } from '../errors.ts';
import { log } from '../log.ts';
import { printable } from '../printable.ts';
import { rdkafkaConnection } from './connection.ts';
import { CredentialWatch } from './credential-watch.ts';
import { unreachableError } from './errors.ts';
import type { KafkaOptions } from './options.ts';
import { promisified } from './promisified.ts';

const CONSUME_TIMEOUT_MS = 20;
const MAX_MESSAGES_PER_POLL = 500;
/** Reading a partition fails when its end is not reached within this time. */
const READ_TIMEOUT_MS = 30_000;

/** Rows of austream have a few kB. Larger values are left out, so that a table fits into memory whoever wrote it. */
const MAX_VALUE_BYTES = 4 * 1024 * 1024;
const MAX_KEY_BYTES = 1_024;
/** Keys and values of one partition. Rows beyond it are left out. */
const MAX_TABLE_BYTES = 256 * 1024 * 1024;

/** Reads partitions of a compacted topic as tables: the newest committed value of each key. */
export class TableReader {
  readonly #kafka: KafkaOptions;
  readonly #credentials: CredentialWatch;
  #credentialsChanged = false;
  #consumer: rdkafka.KafkaConsumer;
  readonly #topic: string;
  /** The one consumer has one assignment: partitions are read one after another. */
  readonly #mutex = new Mutex();
  #partitionsAtEnd: number[] = [];
  /** What the brokers said last during the read in progress. */
  #lastError: string | null = null;

  private constructor(kafka: KafkaOptions, topic: string) {
    this.#kafka = kafka;
    this.#topic = topic;
    this.#credentials = new CredentialWatch(kafka, () => {
      this.#credentialsChanged = true;
    });
    this.#consumer = this.#createConsumer();
  }

  #createConsumer(): rdkafka.KafkaConsumer {
    const topic = this.#topic;
    const consumer = new rdkafka.KafkaConsumer(
      {
        ...rdkafkaConnection(this.#kafka),
        // librdkafka requires a group id. This consumer assigns partitions itself and never joins the group.
        'group.id': `${topic}-table`,
        'isolation.level': 'read_committed',
        'enable.auto.commit': false,
        'enable.partition.eof': true,
        'fetch.wait.max.ms': 10,
      },
      { 'auto.offset.reset': 'earliest' },
    );
    consumer.on('partition.eof', ({ partition }) => {
      if (consumer === this.#consumer) this.#partitionsAtEnd.push(partition);
    });
    consumer.on('event.error', ({ message }) => {
      if (consumer === this.#consumer) this.#lastError = message;
    });
    return consumer;
  }

  /** Connects. Throws KAFKA_UNREACHABLE if no broker answers within `kafka.connectSeconds`. */
  static async open(kafka: KafkaOptions, topic: string): Promise<TableReader> {
    const reader = new TableReader(kafka, topic);
    await reader.#connect().catch((error: Error) => {
      reader.#credentials.close();
      throw error;
    });
    return reader;
  }

  async #connect(): Promise<void> {
    const { brokers, connectSeconds } = this.#kafka;
    await promisified<unknown>((done) =>
      this.#consumer.connect({ timeout: connectSeconds * 1_000 }, done),
    ).catch((error: Error) => {
      throw unreachableError(brokers, error.message, error);
    });
    this.#consumer.setDefaultConsumeTimeout(CONSUME_TIMEOUT_MS);
  }

  /** Every key of a partition with its newest committed value; keys with a tombstone are absent. */
  read(partition: number): Promise<Map<string, Buffer>> {
    return this.#mutex.runExclusive(async () => {
      if (this.#credentialsChanged) await this.#renew();
      return this.#read(partition);
    });
  }

  /** Waits for the read in progress. */
  async close(): Promise<void> {
    this.#credentials.close();
    await this.#mutex.runExclusive(() => this.#disconnect());
  }

  /** A consumer with the present credentials. If it cannot connect, the next read tries again. */
  async #renew(): Promise<void> {
    await this.#disconnect();
    // A change while it connects is for the next read.
    this.#credentialsChanged = false;
    try {
      this.#consumer = this.#createConsumer();
      await this.#connect();
    } catch (error) {
      this.#credentialsChanged = true;
      throw error;
    }
  }

  async #disconnect(): Promise<void> {
    const consumer = this.#consumer;
    if (!consumer.isConnected()) return;
    await new Promise<void>((resolve) => {
      consumer.disconnect(() => resolve());
    });
  }

  async #read(partition: number): Promise<Map<string, Buffer>> {
    const table = new Table();
    const deadline = monotonicMs() + READ_TIMEOUT_MS;
    this.#partitionsAtEnd = [];
    this.#lastError = null;
    this.#consumer.assign([{ topic: this.#topic, partition, offset: 0 }]);
    try {
      while (!this.#partitionsAtEnd.includes(partition)) {
        if (monotonicMs() > deadline)
          throw new AustreamError(
            'KAFKA_UNREACHABLE',
            `${this.#topic}/${partition} could not be read to its end within ${READ_TIMEOUT_MS / 1000} s${this.#lastError === null ? '' : `: ${printable(this.#lastError)}`}`,
          );
        const messages = await promisified<rdkafka.Message[]>((done) =>
          this.#consumer.consume(MAX_MESSAGES_PER_POLL, done),
        );
        for (const { key, value, partition: source } of messages) {
          // Messages of the previous assignment may still be queued.
          if (source !== partition || !key) continue;
          table.apply(key, value);
        }
      }
    } finally {
      this.#consumer.unassign();
    }
    if (table.leftOut > 0)
      log.error(
        { topic: this.#topic, partition, records: table.leftOut },
        `${this.#topic}/${partition}: ${table.leftOut} records are too large and were left out`,
      );
    return table.rows;
  }
}

/** The rows of one partition, bounded in memory. */
class Table {
  readonly rows = new Map<string, Buffer>();
  /** Records that are too large, or beyond the bound of the table. */
  leftOut = 0;
  #bytes = 0;

  apply(key: rdkafka.MessageKey, value: rdkafka.MessageValue): void {
    const name = key!.toString();
    if (name.length > MAX_KEY_BYTES) {
      this.leftOut += 1;
      return;
    }
    this.#bytes -= this.#size(name);
    this.rows.delete(name);
    if (!value) return;
    if (value.length > MAX_VALUE_BYTES || this.#bytes + name.length + value.length > MAX_TABLE_BYTES)
      this.leftOut += 1;
    else {
      this.rows.set(name, value);
      this.#bytes += this.#size(name);
    }
  }

  #size(name: string): number {
    const value = this.rows.get(name);
    return value ? name.length + value.length : 0;
  }
}
