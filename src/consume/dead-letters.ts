import { type Kafka, Partitioners, type Producer } from 'kafkajs';
import { toAustreamError } from '../kafka/kafkajs-errors.ts';
import { RecordEncoder } from '../records/avro.ts';
import { deadLetter } from '../records/dead-letter.ts';
import type { DeadLetter } from '../records/events.ts';
import type { ConsumeOptions, PoisonMessage } from './options.ts';

const DEFAULT_TOPIC = 'au.deadletter';
/** The brokers' default limit of a request is 1 MiB. */
const MAX_REQUEST_BYTES = 512 * 1024;
/** Estimate for the other fields of a dead letter. */
const OVERHEAD_BYTES = 512;

/** Receives messages that cannot be decoded, and passes them to `onPoison` or to the dead-letter topic. */
export class DeadLetterSink {
  readonly #kafka: Kafka;
  readonly #options: ConsumeOptions;
  readonly #encoder = new RecordEncoder('DeadLetter');
  #producer: Producer | null = null;

  /** Nothing is requested from the brokers before the first message: who writes no dead letters needs no right to. */
  constructor(kafka: Kafka, options: ConsumeOptions) {
    this.#kafka = kafka;
    this.#options = options;
  }

  /** Resolves when the messages are safe. Throws KAFKA_REJECTED if the topic does not exist or may not be written. */
  async accept(messages: readonly PoisonMessage[]): Promise<void> {
    const { onPoison, deadLetterTopic = DEFAULT_TOPIC } = this.#options;
    if (onPoison) for (const message of messages) await onPoison(message);
    else await this.#produce(deadLetterTopic, messages);
  }

  async #produce(topic: string, messages: readonly PoisonMessage[]): Promise<void> {
    if (!this.#producer) {
      const producer = this.#kafka.producer({
        createPartitioner: Partitioners.DefaultPartitioner,
        allowAutoTopicCreation: false,
      });
      await producer.connect();
      this.#producer = producer;
    }
    for (const request of requestsOf(messages)) {
      const letters = request
        .map((message) => this.#letter(message))
        .map((letter) => ({ key: letter.key, value: this.#encoder.encode(letter) }));
      try {
        await this.#producer.send({ topic, messages: letters });
      } catch (error) {
        const rejected = toAustreamError(error, this.#options.brokers, {
          topics: [topic],
          operation: 'Write',
        });
        throw rejected.code === 'KAFKA_REJECTED' ? rejected : error;
      }
    }
  }

  #letter(message: PoisonMessage): DeadLetter {
    return deadLetter({ ...message, group: this.#options.groupId, offset: Number(message.offset) });
  }

  async close(): Promise<void> {
    await this.#producer?.disconnect().catch(() => {});
  }
}

/** Splits the messages into requests of at most MAX_REQUEST_BYTES, or of one larger message. */
function* requestsOf(messages: readonly PoisonMessage[]): Generator<PoisonMessage[]> {
  let request: PoisonMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = (message.value?.length ?? 0) + (message.key?.length ?? 0) + OVERHEAD_BYTES;
    if (request.length > 0 && bytes + size > MAX_REQUEST_BYTES) {
      yield request;
      request = [];
      bytes = 0;
    }
    request.push(message);
    bytes += size;
  }
  if (request.length > 0) yield request;
}
