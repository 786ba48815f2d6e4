import rdkafka from 'node-rdkafka';
import { AustreamError } from '../errors.ts';
import { printable } from '../printable.ts';
import { rdkafkaConnection } from './connection.ts';
import { type DeliveryFailure, deliveryFailure } from './delivery-policy.ts';
import { clusterName, unreachableError } from './errors.ts';
import type { KafkaOptions } from './options.ts';
import { promisified } from './promisified.ts';
import { isFatalError } from './rdkafka-errors.ts';

const { CODES } = rdkafka;

/** node-rdkafka's error events carry no code, only librdkafka's message. */
const ALL_BROKERS_DOWN = 'all broker connections are down';
/** Messages of error events with which the brokers or TLS reject the connection. */
const CONNECTION_REJECTED = new Set(['authentication failure', 'ssl error']);
const POLL_MS = 10;

export interface ProducerEvents<Tag> {
  delivered(tag: Tag): void;
  /** This message was not delivered. Messages of the same topic that come later may fail too, but none overtakes it. */
  failed(tag: Tag, failure: DeliveryFailure): void;
  /** No broker can be reached at present. librdkafka keeps retrying the messages it has. */
  unreachable(detail: string): void;
  /** This producer has failed for good: undelivered messages must be sent by a new one. */
  broken(failure: DeliveryFailure): void;
}

/** Settings common to all producers: idempotent, in order per partition, with delivery reports. */
export function idempotentProducerConfig(options: KafkaOptions): Record<string, string | number | boolean> {
  return {
    ...rdkafkaConnection(options),
    'enable.idempotence': true,
    // A broker that does not know a producer yet accepts any first sequence number. With several requests in flight, a
    // new partition leader may reject the first and accept the second. The retried first then counts as a duplicate and
    // librdkafka reports it as delivered, although it is lost (confluentinc/confluent-kafka-go#921).
    'max.in.flight.requests.per.connection': 1,
    'compression.codec': options.compression,
    // The partitioner of the Java client and kafkajs: topics written by either can be joined by key.
    partitioner: 'murmur2_random',
    dr_cb: true,
  };
}

/** Of one message: the topic's `max.message.bytes` decides, not the client. */
const MAX_MESSAGE_BYTES = 100 * 1024 * 1024;
/** librdkafka's default of `batch.num.messages`. */
export const MAX_BATCH_MESSAGES = 10_000;

/** librdkafka's global and per-topic settings of the publisher. */
export function producerConfig(
  options: KafkaOptions,
  batchMessages = MAX_BATCH_MESSAGES,
): [rdkafka.ProducerGlobalConfig, rdkafka.ProducerTopicConfig] {
  const global = {
    ...idempotentProducerConfig(options),
    // Without it, messages that follow a failed batch are delivered, and overtake it when it is sent again.
    'enable.gapless.guarantee': true,
    'message.max.bytes': MAX_MESSAGE_BYTES,
    'batch.num.messages': batchMessages,
    'linger.ms': options.lingerMs,
    'queue.buffering.max.messages': 100_000,
    // A topic that is unknown for this long fails its messages; a new topic is known to all brokers within a second or so.
    'topic.metadata.propagation.max.ms': 5000,
  };
  // Messages never time out: only the outbox drops messages.
  const topic = { acks: -1, 'message.timeout.ms': 0 };
  return [global as rdkafka.ProducerGlobalConfig, topic];
}

/** librdkafka's producer: idempotent, acks=all, unlimited retries, in order per partition. */
export class KafkaProducer<Tag> {
  readonly #client: rdkafka.Producer;
  /** host:port of the brokers that answered, comma-separated. */
  readonly brokers: string;
  readonly #events: ProducerEvents<Tag>;

  private constructor(client: rdkafka.Producer, metadata: rdkafka.Metadata, events: ProducerEvents<Tag>) {
    this.#client = client;
    this.#events = events;
    this.brokers = metadata.brokers.map(({ host, port }) => `${host}:${port}`).join(',');
  }

  /** Connects within `timeoutMs`, or throws KAFKA_UNREACHABLE or KAFKA_REJECTED. */
  static async connect<Tag>(
    options: KafkaOptions,
    events: ProducerEvents<Tag>,
    timeoutMs: number,
    batchMessages = MAX_BATCH_MESSAGES,
  ): Promise<KafkaProducer<Tag>> {
    const client = new rdkafka.Producer(...producerConfig(options, batchMessages));
    const connection = { open: false, failure: '', rejected: (_: string) => {} };
    let fatal: DeliveryFailure | null = null;
    const failForGood = (text: string) => {
      fatal ??= fatalFailure(text);
      if (connection.open) events.broken(fatal);
      else connection.rejected(fatal.detail);
    };
    client.on('event.log', ({ fac, message }: { fac: string; message: string }) => {
      // Only the log says why a connection failed. It names the broker, never a credential.
      const text = printable(message.replace(/^\[thrd:[^\]]*\]: /, ''));
      if (fac === 'FAIL' || fac === 'ERROR') connection.failure = text;
      // The error event of a fatal error may have the cause's message, so that it looks like one that passes.
      if (fac === 'FATAL') failForGood(text);
    });
    client.on('event.error', ({ message }) => {
      const detail = connection.failure || message;
      if (CONNECTION_REJECTED.has(message)) connection.rejected(detail);
      if (isFatalError({ message })) failForGood(detail);
      if (!connection.open) return;
      if (message === ALL_BROKERS_DOWN) events.unreachable(detail);
    });
    client.on('delivery-report', (error, report) => {
      const tag = report.opaque as Tag;
      if (!error) events.delivered(tag);
      else events.failed(tag, fatal ?? deliveryFailure(error.message, error.origin));
    });
    // librdkafka emits error events only while the client is polled.
    const polling = setInterval(() => client.isConnected() && client.poll(), POLL_MS);
    try {
      const metadata = await new Promise<rdkafka.Metadata>((resolve, reject) => {
        connection.rejected = (why) => reject(rejectedError(options, why));
        client.connect({ timeout: timeoutMs }, (error, data) => {
          if (error) reject(unreachableError(options.brokers, connection.failure || error.message));
          else resolve(data);
        });
      });
      connection.open = true;
      client.setPollInterval(POLL_MS);
      return new KafkaProducer(client, metadata, events);
    } catch (error) {
      if (client.isConnected()) client.disconnect();
      throw error;
    } finally {
      clearInterval(polling);
    }
  }

  /**
   * Adds a message to librdkafka's queue; false if the queue is full. `tag` comes back in `delivered` or `failed`, also if
   * librdkafka rejects the message at once. `value` null is a tombstone: compaction deletes the key.
   */
  produce(topic: string, key: string, value: Buffer | null, tag: Tag, partition?: number): boolean {
    try {
      // node-rdkafka takes null, although its types do not say so.
      this.#client.produce(topic, partition ?? null, value as Buffer, key, null, tag);
    } catch (error) {
      const failure = error as rdkafka.LibrdKafkaError;
      if (failure.code === CODES.ERRORS.ERR__QUEUE_FULL) return false;
      queueMicrotask(() => this.#events.failed(tag, deliveryFailure(failure.message, 'local')));
    }
    return true;
  }

  /** How many partitions a topic has; 0: it is not there. The embedded broker then creates the topic. */
  async partitionCount(topic: string, timeoutMs: number): Promise<number> {
    const metadata = await promisified<rdkafka.Metadata>((done) =>
      this.#client.getMetadata({ topic, timeout: timeoutMs }, done),
    );
    return metadata.topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
  }

  /** Waits up to `flushMs` for delivery reports, then disconnects. */
  close(flushMs: number): Promise<void> {
    return new Promise((resolve) => this.#client.disconnect(flushMs, () => resolve()));
  }
}

/** The first `Broker: …` in the text of a fatal error is its cause. */
function fatalFailure(text: string): DeliveryFailure {
  const broker = /Broker: [^(:]+/.exec(text)?.[0].trim();
  const { verdict, cause } = broker
    ? deliveryFailure(broker, 'broker')
    : deliveryFailure('fatal error', 'local');
  return { verdict, cause, detail: text };
}

function rejectedError({ brokers }: KafkaOptions, why: string): AustreamError {
  return new AustreamError('KAFKA_REJECTED', `${clusterName(brokers)} rejects the connection: ${why}`, {
    fix: 'check kafka.sasl (mechanism, username, password) and kafka.tls (ca, certificate) in the config, and this user’s rights: austream doctor -c FILE',
  });
}
