import { setTimeout as sleep } from 'node:timers/promises';
import rdkafka from 'node-rdkafka';
import { monotonicMs } from '../clock.ts';
import { log } from '../log.ts';
import { rdkafkaConnection } from './connection.ts';
import type { KafkaOptions } from './options.ts';
import { promisified } from './promisified.ts';

const CONSUME_TIMEOUT_MS = 20;
const MAX_MESSAGES_PER_POLL = 500;
/** Pause between two polls, and after one that failed. */
const POLL_MS = 100;
const RETRY_MS = 1_000;
const METADATA_TIMEOUT_MS = 5_000;
/** How often new partitions are looked for. */
const PARTITIONS_MS = 30_000;
const STATISTICS_INTERVAL_MS = 2_000;
/** Fetches are answered twice a second. */
const MAX_SILENCE_MICROS = 5_000_000;

export interface TopicTailEvents {
  message(message: rdkafka.Message): void | Promise<void>;
  /** Everything that the topic had when it was opened is read. */
  caughtUp(): void;
  /** The topic cannot be read now; it is tried again. */
  failing(detail: string): void;
}

/**
 * Reads every partition of a small topic from its beginning, and then what is added, for as long as the process runs. It is
 * in no consumer group. It needs no broker to be opened, and goes on by itself when one answers.
 */
export class TopicTail {
  readonly #consumer: rdkafka.KafkaConsumer;
  readonly #topic: string;
  readonly #events: TopicTailEvents;
  readonly #closing = new AbortController();
  readonly #connectMs: number;
  readonly #loop: Promise<void>;
  readonly #assigned = new Set<number>();
  readonly #atEnd = new Set<number>();
  #connected = false;
  #partitionsDueAt = 0;

  constructor(kafka: KafkaOptions, topic: string, events: TopicTailEvents) {
    this.#topic = topic;
    this.#events = events;
    this.#connectMs = kafka.connectSeconds * 1_000;
    this.#consumer = new rdkafka.KafkaConsumer(
      {
        ...rdkafkaConnection(kafka),
        // librdkafka requires a group id. This consumer assigns partitions itself and never joins the group.
        'group.id': `${topic}-tail`,
        'enable.auto.commit': false,
        'enable.partition.eof': true,
        'statistics.interval.ms': STATISTICS_INTERVAL_MS,
      },
      { 'auto.offset.reset': 'earliest' },
    );
    this.#consumer.on('partition.eof', ({ partition }) => this.#atEnd.add(partition));
    this.#consumer.on('event.error', (error) => log.debug({ topic }, error.message));
    this.#consumer.on('event.stats', ({ message }: { message: string }) => {
      this.#connected = anyBrokerAnswers(message);
    });
    this.#loop = this.#run();
  }

  /** Whether a broker answers; up to some seconds old. */
  get connected(): boolean {
    return this.#connected;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
    await new Promise<void>((resolve) => {
      if (this.#consumer.isConnected()) this.#consumer.disconnect(() => resolve());
      else resolve();
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let caughtUp = false;
    while (!signal.aborted) {
      try {
        if (monotonicMs() >= this.#partitionsDueAt) await this.#assignPartitions();
        const messages = await promisified<rdkafka.Message[]>((done) =>
          this.#consumer.consume(MAX_MESSAGES_PER_POLL, done),
        );
        for (const message of messages) await this.#events.message(message);
        if (!caughtUp && [...this.#assigned].every((partition) => this.#atEnd.has(partition))) {
          caughtUp = true;
          this.#events.caughtUp();
        }
        if (messages.length < MAX_MESSAGES_PER_POLL) await pause(POLL_MS, signal);
      } catch (error) {
        if (!signal.aborted) this.#events.failing((error as Error).message);
        await pause(RETRY_MS, signal);
      }
    }
  }

  async #assignPartitions(): Promise<void> {
    if (!this.#consumer.isConnected()) {
      await promisified<unknown>((done) => this.#consumer.connect({ timeout: this.#connectMs }, done));
      this.#consumer.setDefaultConsumeTimeout(CONSUME_TIMEOUT_MS);
      this.#connected = true;
    }
    const metadata = await promisified<rdkafka.Metadata>((done) =>
      this.#consumer.getMetadata({ topic: this.#topic, timeout: METADATA_TIMEOUT_MS }, done),
    );
    const found = metadata.topics.find(({ name }) => name === this.#topic)?.partitions ?? [];
    if (found.length === 0) throw new Error(`the brokers do not know the topic ${this.#topic}`);
    this.#partitionsDueAt = monotonicMs() + PARTITIONS_MS;
    const added = found.map(({ id }) => id).filter((id) => !this.#assigned.has(id));
    if (added.length === 0) return;
    // librdkafka would go on from its own positions of partitions that stay, with an incremental assignment only.
    this.#consumer.incrementalAssign(
      added.map((partition) => ({ topic: this.#topic, partition, offset: -2 })) as never,
    );
    for (const id of added) this.#assigned.add(id);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

/** Whether any connection is up and has received something lately. `statistics`: librdkafka's JSON, `rxidle` in µs. */
function anyBrokerAnswers(statistics: string): boolean {
  const { brokers } = JSON.parse(statistics) as {
    brokers: Readonly<Record<string, { state: string; rxidle: number }>>;
  };
  return Object.values(brokers).some(({ state, rxidle }) => state === 'UP' && rxidle < MAX_SILENCE_MICROS);
}
