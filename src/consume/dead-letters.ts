import { type Kafka, Partitioners, type Producer } from 'kafkajs';
import { rootCause, toAustreamError } from '../kafka/kafkajs-errors.ts';
import { RecordEncoder } from '../records/avro.ts';
import type { DeadLetter } from '../records/events.ts';
import type { ConsumeOptions, PoisonMessage } from './options.ts';

const DEFAULT_TOPIC = 'au.deadletter';
/** Brokers take a megabyte by default; a letter adds a little to the message. */
const MAX_VALUE_BYTES = 900 * 1024;
const MAX_REQUEST_BYTES = 512 * 1024;

/** Where messages go that cannot be decoded: to the program's own callback, or to the dead-letter topic. */
export class DeadLetterSink {
  readonly #kafka: Kafka;
  readonly #options: ConsumeOptions;
  readonly #encoder = new RecordEncoder('DeadLetter');
  #producer: Producer | null = null;

  constructor(kafka: Kafka, options: ConsumeOptions) {
    this.#kafka = kafka;
    this.#options = options;
  }

  /** Resolves when the messages are taken care of. Throws KAFKA_REJECTED where there is no dead-letter topic. */
  async accept(messages: readonly PoisonMessage[]): Promise<void> {
    const { onPoison, deadLetterTopic = DEFAULT_TOPIC } = this.#options;
    if (onPoison) for (const message of messages) await onPoison(message);
    else await this.#write(deadLetterTopic, messages);
  }

  async #write(topic: string, messages: readonly PoisonMessage[]): Promise<void> {
    if (!this.#producer) {
      const producer = this.#kafka.producer({
        createPartitioner: Partitioners.DefaultPartitioner,
        allowAutoTopicCreation: false,
      });
      await producer.connect();
      this.#producer = producer;
    }
    for (const part of parts(messages)) {
      const letters = part.map((message) => ({ key: message.key, value: this.#letter(message) }));
      try {
        await this.#producer.send({ topic, messages: letters });
      } catch (error) {
        if ((rootCause(error) as { type?: string }).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
        throw toAustreamError(error, this.#options.brokers, [topic]);
      }
    }
  }

  #letter(message: PoisonMessage): Buffer {
    const { value, detail } = message;
    const kept = value === null || value.length <= MAX_VALUE_BYTES;
    const letter: DeadLetter = {
      at: Date.now() * 1000,
      group: this.#options.groupId,
      ...message,
      offset: Number(message.offset),
      value: kept ? value : null,
      detail: kept ? detail : `${detail} (its ${value.length} bytes are too many to keep here)`,
    };
    return this.#encoder.encode(letter);
  }

  async close(): Promise<void> {
    await this.#producer?.disconnect().catch(() => {});
  }
}

/** Brokers take requests of up to a megabyte by default. */
function* parts(messages: readonly PoisonMessage[]): Generator<PoisonMessage[]> {
  let part: PoisonMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = (message.value?.length ?? 0) + (message.key?.length ?? 0) + 512;
    if (part.length > 0 && bytes + size > MAX_REQUEST_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(message);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
