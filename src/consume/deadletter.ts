import { type Kafka, Partitioners, type Producer } from 'kafkajs';
import { RecordEncoder } from '../publish/avro.ts';
import type { DeadLetter } from './events.ts';
import type { ConsumeOptions, PoisonMessage } from './options.ts';

const DEFAULT_TOPIC = 'au.deadletter';

/** Where messages go that cannot be decoded: to the program's own callback, or to the dead-letter topic. */
export class DeadLetters {
  readonly #kafka: Kafka;
  readonly #options: ConsumeOptions;
  readonly #encoder = new RecordEncoder('DeadLetter');
  #producer: Producer | null = null;

  constructor(kafka: Kafka, options: ConsumeOptions) {
    this.#kafka = kafka;
    this.#options = options;
  }

  /** Resolves when the message is taken care of. */
  async take(message: PoisonMessage): Promise<void> {
    const { onPoison, groupId, deadLetterTopic = DEFAULT_TOPIC } = this.#options;
    if (onPoison) return onPoison(message);
    if (!this.#producer) {
      const producer = this.#kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
      await producer.connect();
      this.#producer = producer;
    }
    const letter: DeadLetter = {
      at: Date.now() * 1000,
      group: groupId,
      ...message,
      offset: Number(message.offset),
    };
    await this.#producer.send({
      topic: deadLetterTopic,
      messages: [{ key: message.key, value: this.#encoder.encode(letter) }],
    });
  }

  async close(): Promise<void> {
    await this.#producer?.disconnect().catch(() => {});
  }
}
