import { setTimeout as sleep } from 'node:timers/promises';
import rdkafka from 'node-rdkafka';
import { Backoff } from '../backoff.ts';
import { AustreamError } from '../errors.ts';
import { printable } from '../printable.ts';
import { callFailure } from './call-failure.ts';
import { type DeliveryFailure, deliveryFailure } from './delivery-policy.ts';
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

/** How many records a batch may hold; `single` is one. Topics limit the size of a batch (`max.message.bytes`). */
export const BATCH_LIMITS = ['full', 'small', 'single'] as const;
export type BatchLimit = (typeof BATCH_LIMITS)[number];

const BATCH_SETTINGS: Readonly<Record<BatchLimit, Readonly<Record<string, number>>>> = {
  full: {},
  small: { 'batch.size': 32 * 1024 },
  single: { 'batch.num.messages': 1 },
};

/** Why a transaction was aborted. */
export interface TransactionFailure extends DeliveryFailure {
  /** The topic that did not take its records; null: the transaction or its offset failed. */
  readonly topic: string | null;
  /** Records of batches that were too large. With the limit `single` each of them is too large by itself. */
  readonly tooLarge: readonly OutgoingRecord[];
}

/** Runs one blocking call to the brokers, which returns after `limitMs` in any case, when it is its turn. */
export type BrokerTurn = <T>(call: (limitMs: number) => Promise<T>) => Promise<T>;

export interface CallContext {
  /** Aborts: calls are no longer repeated. */
  readonly closing: AbortSignal;
  readonly turn: BrokerTurn;
  /** A call failed and will be repeated. */
  repeated?(failure: DeliveryFailure): void;
}

export interface OpenOptions extends CallContext {
  readonly transactionalId: string;
  /** Default: `full`. */
  readonly batchLimit?: BatchLimit;
}

/** `transaction.timeout.ms`: the coordinator aborts a transaction that stays open for longer. */
const TRANSACTION_TIMEOUT_MS = 20_000;
/** How long records wait for the metadata of a topic that the brokers do not know (yet). */
const UNKNOWN_TOPIC_MS = 5_000;
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
  readonly batchLimit: BatchLimit;
  readonly #client: rdkafka.Producer;
  readonly #transactionalId: string;
  #closed = false;
  /** The call in progress; the client must not be disconnected before it returns. */
  #callInProgress: Promise<unknown> = Promise.resolve();
  /** Why the first undelivered record of the current transaction failed. */
  #deliveryFailure: (DeliveryFailure & { readonly topic: string }) | null = null;
  /** Records of the current transaction that were too large, alone or as a batch. */
  #tooLarge: OutgoingRecord[] = [];

  private constructor(client: rdkafka.Producer, transactionalId: string, batchLimit: BatchLimit) {
    this.#client = client;
    this.#transactionalId = transactionalId;
    this.batchLimit = batchLimit;
    client.on('delivery-report', (error: rdkafka.LibrdKafkaError | null, { topic, opaque }) => {
      // An abort purges the records that are still queued. Their errors are a consequence, not the cause.
      if (!error || error.message.startsWith('purged')) return;
      const failure = deliveryFailure(error.message, error.origin);
      this.#deliveryFailure ??= { ...failure, topic };
      if (failure.verdict === 'split') this.#tooLarge.push(opaque as OutgoingRecord);
    });
  }

  /**
   * Connects and fences every earlier producer with this transactional id. Retries until the brokers answer or
   * `closing` aborts.
   */
  static async open(
    kafka: KafkaOptions,
    { transactionalId, batchLimit = 'full', ...context }: OpenOptions,
  ): Promise<TransactionalProducer> {
    const client = new rdkafka.Producer(
      {
        ...idempotentProducerConfig(kafka),
        ...BATCH_SETTINGS[batchLimit],
        'transactional.id': transactionalId,
        'transaction.timeout.ms': TRANSACTION_TIMEOUT_MS,
        'topic.metadata.propagation.max.ms': UNKNOWN_TOPIC_MS,
        'linger.ms': 5,
        // The error of an aborted transaction does not say which record failed; delivery reports do.
        'delivery.report.only.error': true,
      } as rdkafka.ProducerGlobalConfig,
      {} as rdkafka.ProducerTopicConfig,
    );
    // Each call reports its own error. Without a listener the event would be thrown.
    client.on('event.error', () => {});
    await context.turn((timeout) => promisified((done) => client.connect({ timeout }, done)));
    client.setPollInterval(100);
    const producer = new TransactionalProducer(client, transactionalId, batchLimit);
    try {
      await producer.#callWithRetries((limitMs, done) => client.initTransactions(limitMs, done), context);
    } catch (error) {
      await producer.close();
      const { message } = error as Error;
      throw new Error(`transactional id ${transactionalId}: ${message}`, { cause: error });
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
    context: CallContext,
  ): Promise<TransactionFailure | null> {
    const client = this.#client;
    this.#deliveryFailure = null;
    this.#tooLarge = [];
    try {
      await this.#callWithRetries((_, done) => client.beginTransaction(done), context);
      for (const record of records) await this.#produce(record, context.closing);
      if (offset)
        await this.#callWithRetries(
          (limitMs, done) =>
            client.sendOffsetsToTransaction([offset] as never, consumer as never, limitMs, done),
          context,
        );
      await this.#callWithRetries((limitMs, done) => client.commitTransaction(limitMs, done), context);
      return null;
    } catch (error) {
      const failure = error as rdkafka.LibrdKafkaError & { isTxnRequiresAbort?: boolean };
      if (!failure.isTxnRequiresAbort && !(error instanceof ProduceError)) throw this.#fenced(failure);
      await this.#callWithRetries((limitMs, done) => client.abortTransaction(limitMs, done), context).catch(
        (abortError) => {
          throw this.#fenced(abortError as Error);
        },
      );
      const reason = this.#deliveryFailure ?? { ...callFailure(failure), topic: null };
      return { ...reason, tooLarge: this.#tooLarge };
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

  async #produce(record: OutgoingRecord, closing: AbortSignal): Promise<void> {
    const { topic, partition, key, value } = record;
    for (;;) {
      try {
        this.#client.produce(topic, partition ?? null, value as Buffer, key, null, record);
        return;
      } catch (error) {
        const failure = error as rdkafka.LibrdKafkaError;
        if (failure.code !== CODES.ERRORS.ERR__QUEUE_FULL || closing.aborted || this.#closed) {
          // A record that was rejected earlier puts the client into an erroneous state.
          if (failure.code !== CODES.ERRORS.ERR__STATE) this.#onProduceError(record, failure);
          throw new ProduceError(failure.message);
        }
        await sleep(QUEUE_FULL_POLL_MS);
      }
    }
  }

  #onProduceError(record: OutgoingRecord, error: rdkafka.LibrdKafkaError): void {
    const failure = callFailure(error);
    // A record that is larger than librdkafka's own limit is too large by itself, whatever the batch.
    if (failure.verdict === 'split' && this.#deliveryFailure === null) this.#tooLarge = [record];
    this.#deliveryFailure ??= { ...failure, topic: record.topic };
  }

  /** Repeats a call while librdkafka marks its error as retriable, until `closing` aborts or `close` is called. */
  async #callWithRetries(
    call: (limitMs: number, done: (error: rdkafka.LibrdKafkaError) => void) => void,
    { closing, turn, repeated }: CallContext,
  ): Promise<void> {
    const backoff = new Backoff(CALL_RETRY);
    for (;;) {
      const error = await turn((limitMs) => {
        if (this.#closed) throw new Error('closed');
        const result = new Promise<rdkafka.LibrdKafkaError | null>((resolve) => call(limitMs, resolve));
        this.#callInProgress = result;
        return result;
      });
      if (!error) return;
      if (!(error as { isRetriable?: boolean }).isRetriable || closing.aborted || this.#closed) throw error;
      repeated?.(callFailure(error));
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

/** librdkafka did not take a record: its transaction must be aborted. */
class ProduceError extends Error {}
