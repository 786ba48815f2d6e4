import rdkafka from 'node-rdkafka';
import { AustreamError } from '../errors.ts';
import { rdkafkaConnection } from './connection.ts';
import type { KafkaOptions } from './options.ts';

const { CODES } = rdkafka;

/** node-rdkafka's error events have no code, only librdkafka's words for it. */
const FATAL = 'fatal error';
const AWAY = 'all broker connections are down';
const REFUSED = new Set(['authentication failure', 'ssl error']);
/** Local errors with which librdkafka speaks for the brokers; with all others it gives the message up for itself. */
const DECIDED = new Set(['unknown topic', 'unknown partition', 'message size too large']);

const POLL_MS = 10;

export interface ProducerEvents<Tag> {
  delivered(tag: Tag): void;
  /** The broker will never take this message; `cause` is short and machine-readable. */
  rejected(tag: Tag, cause: string): void;
  /** No broker can be reached for now; what was handed over is still being tried. */
  unreachable(detail: string): void;
  /** This client is of no further use: what it has not delivered must go to a new one. */
  broken(detail: string): void;
}

/** What every producer of librdkafka's is set to here: idempotent, its messages in order, reports of what became of them. */
export function idempotentProducerConfig(options: KafkaOptions): Record<string, string | number | boolean> {
  return {
    ...rdkafkaConnection(options),
    'enable.idempotence': true,
    // A broker that does not know a producer yet takes any first sequence number. With more requests in flight, a
    // partition whose leader is just coming up refuses the first and takes the second; the repeated first then counts
    // as a duplicate, and librdkafka tells it as delivered: it is lost (confluentinc/confluent-kafka-go#921).
    'max.in.flight.requests.per.connection': 1,
    'compression.codec': options.compression,
    // Java's and kafkajs's partitioner: a topic written by both can be joined.
    partitioner: 'murmur2_random',
    dr_cb: true,
  };
}

/** librdkafka's settings, global and per topic. */
export function producerConfig(
  options: KafkaOptions,
): [rdkafka.ProducerGlobalConfig, rdkafka.ProducerTopicConfig] {
  const global = {
    ...idempotentProducerConfig(options),
    'linger.ms': options.lingerMs,
    'queue.buffering.max.messages': 100_000,
  };
  // The outbox decides what is given up, never a timer.
  const topic = { acks: -1, 'message.timeout.ms': 0 };
  return [global as rdkafka.ProducerGlobalConfig, topic];
}

/** librdkafka's producer: idempotent, acks=all, its retries without end, order kept per partition. */
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
  ): Promise<KafkaProducer<Tag>> {
    const client = new rdkafka.Producer(...producerConfig(options));
    const watch = { open: false, failure: '', refused: (_: string) => {} };
    client.on('event.log', ({ fac, message }: { fac: string; message: string }) => {
      // Only the log tells why a connection failed; it names the broker, never a credential.
      if (fac === 'FAIL' || fac === 'ERROR') watch.failure = message.replace(/^\[thrd:[^\]]*\]: /, '');
    });
    client.on('event.error', ({ message }) => {
      if (REFUSED.has(message)) watch.refused(watch.failure || message);
      if (!watch.open) return;
      if (message === FATAL) events.broken(watch.failure || message);
      else if (message === AWAY) events.unreachable(watch.failure || message);
    });
    client.on('delivery-report', (error, report) => {
      const tag = report.opaque as Tag;
      if (!error) events.delivered(tag);
      else if (error.origin === 'broker' || DECIDED.has(error.message)) events.rejected(tag, causeOf(error));
      else if (watch.open) events.broken(error.message);
    });
    // Errors are told only to who polls.
    const polling = setInterval(() => client.isConnected() && client.poll(), POLL_MS);
    try {
      const metadata = await new Promise<rdkafka.Metadata>((resolve, reject) => {
        watch.refused = (why) => reject(refused(options, why));
        client.connect({ timeout: timeoutMs }, (error, data) => {
          if (error) reject(unreachable(options, watch.failure || error.message));
          else resolve(data);
        });
      });
      watch.open = true;
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
   * Hands a message to librdkafka's queue; false where that is full. `tag` comes back in the events, also where
   * librdkafka can tell at once that no broker would take the message.
   */
  produce(topic: string, key: string, value: Buffer, tag: Tag, partition?: number): boolean {
    try {
      this.#client.produce(topic, partition ?? null, value, key, null, tag);
    } catch (error) {
      const failure = error as rdkafka.LibrdKafkaError;
      if (failure.code === CODES.ERRORS.ERR__QUEUE_FULL) return false;
      queueMicrotask(() => this.#events.rejected(tag, causeOf(failure)));
    }
    return true;
  }

  /** Asks for a topic: the embedded broker creates it by that. */
  requestTopic(topic: string, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.getMetadata({ topic, timeout: timeoutMs }, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Waits up to `flushMs` for what was handed over, then leaves. */
  close(flushMs: number): Promise<void> {
    return new Promise((resolve) => this.#client.disconnect(flushMs, () => resolve()));
  }
}

function causeOf(error: rdkafka.LibrdKafkaError): string {
  return `kafka_${error.message
    .toLowerCase()
    .replace(/^(local|broker): /, '')
    .replace(/[^a-z0-9]+/g, '_')}`.slice(0, 64);
}

function nameOf(options: KafkaOptions): string {
  return `Kafka at ${options.brokers?.join(', ') ?? 'the embedded broker'}`;
}

function refused(options: KafkaOptions, why: string): AustreamError {
  return new AustreamError('KAFKA_REJECTED', `${nameOf(options)} refuses the connection: ${why}`, {
    fix: 'check kafka.sasl (mechanism, username, password) and kafka.tls (ca, certificate) in the config',
  });
}

function unreachable(options: KafkaOptions, why: string): AustreamError {
  return new AustreamError('KAFKA_UNREACHABLE', `${nameOf(options)} does not answer: ${why}`, {
    fix: 'check kafka.brokers in the config, and that the brokers run and advertise an address reachable from here',
  });
}
