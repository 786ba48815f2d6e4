import type { KafkaOptions } from './options.ts';
import { KafkaProducer } from './producer.ts';

/** librdkafka's mock broker inside this process: it needs no installation and stores nothing on disk. */
export class EmbeddedBroker {
  readonly #client: KafkaProducer<null>;

  /** `topics` are created. */
  static async start(options: KafkaOptions, topics: readonly string[]): Promise<EmbeddedBroker> {
    const events = { delivered() {}, failed() {}, unreachable() {}, broken() {} };
    const timeoutMs = options.connectSeconds * 1000;
    const client = await KafkaProducer.connect<null>(options, events, timeoutMs);
    for (const topic of topics) await client.partitionCount(topic, timeoutMs);
    return new EmbeddedBroker(client);
  }

  private constructor(client: KafkaProducer<null>) {
    this.#client = client;
  }

  /** host:port of each broker. */
  get brokers(): string[] {
    return this.#client.brokers.split(',');
  }

  close(): Promise<void> {
    return this.#client.close(0);
  }
}
