import { setTimeout as sleep } from 'node:timers/promises';
import rdkafka from 'node-rdkafka';
import type { KafkaOptions } from './options.ts';
import { orderedProducer } from './producer.ts';

const { CODES } = rdkafka;

/** Where a record goes. Without a partition, its key decides. */
export interface OutgoingRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly key: string | Buffer | null;
  /** Null takes the key's record away, in compacted topics. */
  readonly value: Buffer | null;
}

export interface ConsumedOffset {
  readonly topic: string;
  readonly partition: number;
  /** The next one to be consumed. */
  readonly offset: number;
}

/** Longest wait of one call; a call that came to nothing by then is made again. */
const CALL_MS = 5_000;
/** The brokers give up transactions that are open for longer. */
const TRANSACTION_MS = 20_000;
const RETRY_MS = 100;

/** Another owner has taken over, or the client is of no further use: a new producer must begin. */
export class ProducerGone extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProducerGone';
  }
}

/**
 * The transactional producer of one partition's owner. Opening it with the id of an earlier owner ends that one's
 * transaction and refuses all that it may still send: who comes last, owns.
 */
export class TransactionalProducer {
  readonly #client: rdkafka.Producer;
  #closed = false;
  /** The call that is under way: it must not lose its client. */
  #running: Promise<unknown> = Promise.resolve();
  /** Why the present transaction's first record that failed did so. */
  #undelivered: Error | null = null;

  private constructor(client: rdkafka.Producer) {
    this.#client = client;
    client.on('delivery-report', (error: rdkafka.LibrdKafkaError | null, { topic }) => {
      // What a transaction that is given up had not sent yet is purged: that is not why.
      if (error && !error.message.startsWith('purged')) this.#undelivered ??= onTopic(topic, error);
    });
  }

  /** Waits for the brokers for as long as it takes, or until `closing`. */
  static async open(
    kafka: KafkaOptions,
    transactionalId: string,
    closing: AbortSignal,
  ): Promise<TransactionalProducer> {
    const client = new rdkafka.Producer(
      {
        ...orderedProducer(kafka),
        'transactional.id': transactionalId,
        'transaction.timeout.ms': TRANSACTION_MS,
        'linger.ms': 5,
        // That a record failed is all that the transaction's own error says.
        'delivery.report.only.error': true,
      } as rdkafka.ProducerGlobalConfig,
      {} as rdkafka.ProducerTopicConfig,
    );
    // Every call says itself what became of it.
    client.on('event.error', () => {});
    await new Promise<void>((resolve, reject) => {
      client.connect({ timeout: CALL_MS }, (error) => (error ? reject(error) : resolve()));
    });
    client.setPollInterval(100);
    const producer = new TransactionalProducer(client);
    try {
      await producer.#patiently((done) => client.initTransactions(CALL_MS, done), closing);
    } catch (error) {
      await producer.close();
      throw error;
    }
    return producer;
  }

  /**
   * Publishes records and offsets together, or neither: then it returns why the transaction was given up, and it may
   * be tried again. Throws ProducerGone.
   */
  async publish(
    records: readonly OutgoingRecord[],
    offset: ConsumedOffset,
    consumer: rdkafka.KafkaConsumer,
    closing: AbortSignal,
  ): Promise<Error | null> {
    const client = this.#client;
    this.#undelivered = null;
    try {
      await this.#patiently((done) => client.beginTransaction(done), closing);
      for (const record of records) await this.#produce(record);
      await this.#patiently(
        (done) => client.sendOffsetsToTransaction([offset] as never, consumer as never, CALL_MS, done),
        closing,
      );
      await this.#patiently((done) => client.commitTransaction(CALL_MS, done), closing);
      return null;
    } catch (error) {
      const failure = error as rdkafka.LibrdKafkaError & { isTxnRequiresAbort?: boolean };
      if (!failure.isTxnRequiresAbort) throw new ProducerGone(failure.message);
      await this.#patiently((done) => client.abortTransaction(CALL_MS, done), closing).catch((worse) => {
        throw new ProducerGone((worse as Error).message);
      });
      return this.#undelivered ?? new Error(failure.message);
    }
  }

  /** Leaves at once. An open transaction is ended by the next owner. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#running;
    await new Promise<void>((resolve) => {
      this.#client.disconnect(0, () => resolve());
    });
  }

  async #produce({ topic, partition, key, value }: OutgoingRecord): Promise<void> {
    for (;;) {
      try {
        this.#client.produce(topic, partition ?? null, value as Buffer, key);
        return;
      } catch (error) {
        const failure = error as rdkafka.LibrdKafkaError;
        if (failure.code !== CODES.ERRORS.ERR__QUEUE_FULL) throw onTopic(topic, failure);
        await sleep(RETRY_MS);
      }
    }
  }

  /** Makes a call again for as long as librdkafka says that this may help. */
  async #patiently(
    call: (done: (error: rdkafka.LibrdKafkaError) => void) => void,
    closing: AbortSignal,
  ): Promise<void> {
    for (;;) {
      if (this.#closed) throw new Error('closed');
      const running = new Promise<rdkafka.LibrdKafkaError | null>((resolve) => call(resolve));
      this.#running = running;
      const error = await running;
      if (!error) return;
      if (!(error as { isRetriable?: boolean }).isRetriable || closing.aborted || this.#closed) throw error;
      await sleep(RETRY_MS);
    }
  }
}

function onTopic(topic: string, { message }: { message: string }): Error {
  return new Error(`${topic}: ${message}`);
}
