import { kafkaOptions } from '../../src/kafka/options.ts';
import { KafkaProducer } from '../../src/kafka/producer.ts';

/**
 * librdkafka's mock broker in this process: 4 partitions per topic, consumer groups and transactions, but no ACLs. Tests
 * of the brokers' own behaviour use `KafkaBroker`.
 */
export class MockBroker {
  readonly #producer: KafkaProducer<null>;

  /** Starts a broker with these topics. */
  static async start(topics: readonly string[]): Promise<MockBroker> {
    const events = { delivered() {}, failed() {}, unreachable() {}, broken() {} };
    const producer = await KafkaProducer.connect<null>(
      kafkaOptions.parse({ embedded: true }),
      events,
      10_000,
    );
    for (const topic of topics) await producer.partitionCount(topic, 10_000);
    return new MockBroker(producer);
  }

  private constructor(producer: KafkaProducer<null>) {
    this.#producer = producer;
  }

  get addresses(): string[] {
    return this.#producer.brokers.split(',');
  }

  send(topic: string, partition: number, value: Buffer, key = ''): void {
    this.#producer.produce(topic, key, value, null, partition);
  }

  stop(): Promise<void> {
    return this.#producer.close(0);
  }
}
