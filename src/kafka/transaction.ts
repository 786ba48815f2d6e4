import { setTimeout as sleep } from 'node:timers/promises';
import rdkafka from 'node-rdkafka';
import { Backoff } from '../backoff.ts';
import { AustreamError } from '../errors.ts';
import { printable } from '../printable.ts';
import type { KafkaOptions } from './options.ts';
import { idempotentProducerConfig } from './producer.ts';
import { promisified } from './promisified.ts';

const { CODES } = rdkafka;

export interface OutgoingRecord {
  readonly topic: string;
  /** Omitted: the hash of the key decides. */
  readonly partition?: number;
  readonly key: string | Buffer | null;
  /** Null is a tombstone: compaction deletes the key. */
  readonly value: Buffer | null;
}

export interface ConsumedOffset {
  readonly topic: string;
  readonly partition: number;
  /** The next offset to consume. */
  readonly offset: number;
}

/** Timeout of one call to the transaction coordinator. */
const CALL_TIMEOUT_MS = 5_000;
/** `transaction.timeout.ms`: the coordinator aborts a transaction that stays open for longer. */
const TRANSACTION_TIMEOUT_MS = 20_000;
/** For calls that librdkafka marks as retriable. */
const CALL_RETRY = { firstMs: 100, maxMs: 1_000, jitter: 'equal' } as const;
/**
 * How often a full producer queue is tried again. The interval is fixed: the queue is local and drains at its own
 * rate, so there is no peer to back off from.
 */
const QUEUE_FULL_POLL_MS = 100;

/**
 * A transactional producer. Initialising a producer with the transactional id of an earlier one fences that one: the
 * brokers abort its open transaction and reject everything it still sends.
 */
export class TransactionalProducer {
  readonly #client: rdkafka.Producer;
  readonly #transactionalId: string;
  #closed = false;
  /** The call in progress; the client must not be disconnected before it returns. */
  #callInProgress: Promise<unknown> = Promise.resolve();
  /** Why the first undelivered record of the current transaction failed. */
  #deliveryError: Error | null = null;

  private constructor(client: rdkafka.Producer, transactionalId: string) {
    this.#client = client;
    this.#transactionalId = transactionalId;
    client.on('delivery-report', (error: rdkafka.LibrdKafkaError | null, { topic }) => {
      // An abort purges the records that are still queued. Their errors are a consequence, not the cause.
      if (error && !error.message.startsWith('purged')) this.#deliveryError ??= topicError(topic, error);
    });
  }

  /**
   * Connects and fences every earlier producer with this transactional id. Retries until the brokers answer or
   * `closing` aborts.
   */
  static async open(
    kafka: KafkaOptions,
    transactionalId: string,
    closing: AbortSignal,
  ): Promise<TransactionalProducer> {
    const client = new rdkafka.Producer(
      {
        ...idempotentProducerConfig(kafka),
        'transactional.id': transactionalId,
        'transaction.timeout.ms': TRANSACTION_TIMEOUT_MS,
        'linger.ms': 5,
        // The error of an aborted transaction does not say which record failed; delivery reports do.
        'delivery.report.only.error': true,
      } as rdkafka.ProducerGlobalConfig,
      {} as rdkafka.ProducerTopicConfig,
    );
    // Each call reports its own error. Without a listener the event would be thrown.
    client.on('event.error', () => {});
    await promisified((done) => client.connect({ timeout: CALL_TIMEOUT_MS }, done));
    client.setPollInterval(100);
    const producer = new TransactionalProducer(client, transactionalId);
    try {
      await producer.#callWithRetries((done) => client.initTransactions(CALL_TIMEOUT_MS, done), closing);
    } catch (error) {
      await producer.close();
      throw error;
    }
    return producer;
  }

  /**
   * Publishes records and the consumed offset, if any, in one transaction. Resolves with null when it is committed, or with
   * the reason when it was aborted: it may then be published again. Rejects with KAFKA_PRODUCER_FENCED when this
   * producer can no longer be used.
   */
  async publish(
    records: readonly OutgoingRecord[],
    offset: ConsumedOffset | null,
    consumer: rdkafka.KafkaConsumer,
    closing: AbortSignal,
  ): Promise<Error | null> {
    const client = this.#client;
    this.#deliveryError = null;
    try {
      await this.#callWithRetries((done) => client.beginTransaction(done), closing);
      for (const record of records) await this.#produce(record);
      if (offset)
        await this.#callWithRetries(
          (done) =>
            client.sendOffsetsToTransaction([offset] as never, consumer as never, CALL_TIMEOUT_MS, done),
          closing,
        );
      await this.#callWithRetries((done) => client.commitTransaction(CALL_TIMEOUT_MS, done), closing);
      return null;
    } catch (error) {
      const failure = error as rdkafka.LibrdKafkaError & { isTxnRequiresAbort?: boolean };
      if (!failure.isTxnRequiresAbort) throw this.#fenced(failure);
      await this.#callWithRetries((done) => client.abortTransaction(CALL_TIMEOUT_MS, done), closing).catch(
        (abortError) => {
          throw this.#fenced(abortError as Error);
        },
      );
      return this.#deliveryError ?? new Error(failure.message);
    }
  }

  /** Disconnects without a flush. The next producer with this id, or the coordinator, aborts an open transaction. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#callInProgress;
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
        if (failure.code !== CODES.ERRORS.ERR__QUEUE_FULL) throw topicError(topic, failure);
        await sleep(QUEUE_FULL_POLL_MS);
      }
    }
  }

  /** Repeats a call while librdkafka marks its error as retriable, until `closing` aborts or `close` is called. */
  async #callWithRetries(
    call: (done: (error: rdkafka.LibrdKafkaError) => void) => void,
    closing: AbortSignal,
  ): Promise<void> {
    const backoff = new Backoff(CALL_RETRY);
    for (;;) {
      if (this.#closed) throw new Error('closed');
      const result = new Promise<rdkafka.LibrdKafkaError | null>((resolve) => call(resolve));
      this.#callInProgress = result;
      const error = await result;
      if (!error) return;
      if (!(error as { isRetriable?: boolean }).isRetriable || closing.aborted || this.#closed) throw error;
      await backoff.wait(closing);
    }
  }

  #fenced(cause: Pick<Error, 'message'>): AustreamError {
    return new AustreamError(
      'KAFKA_PRODUCER_FENCED',
      `the producer ${this.#transactionalId} cannot publish any more: ${printable(cause.message)}`,
      { cause },
    );
  }
}

function topicError(topic: string, { message }: { message: string }): Error {
  return new Error(`${topic}: ${message}`);
}
