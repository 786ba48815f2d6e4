import rdkafka from 'node-rdkafka';
import { promisified } from '../../src/kafka/promisified.ts';

export interface ReadMessage {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** Null: a tombstone. */
  readonly value: Buffer | null;
}

/** All committed messages of a topic, each partition in order, read by librdkafka from the beginning to the end. */
export async function readTopic(brokers: readonly string[], topic: string): Promise<ReadMessage[]> {
  const consumer = new rdkafka.KafkaConsumer(
    {
      'bootstrap.servers': brokers.join(','),
      'group.id': `${topic}-read`,
      'isolation.level': 'read_committed',
      'enable.auto.commit': false,
      'enable.partition.eof': true,
    },
    { 'auto.offset.reset': 'earliest' },
  );
  const metadata = await promisified<rdkafka.Metadata>((done) =>
    consumer.connect({ timeout: 10_000, topic }, done),
  );
  const unread = new Set(metadata.topics.find(({ name }) => name === topic)!.partitions.map(({ id }) => id));
  consumer.on('partition.eof', ({ partition }) => unread.delete(partition));
  consumer.assign([...unread].map((partition) => ({ topic, partition, offset: 0 })));
  consumer.setDefaultConsumeTimeout(200);
  const messages: ReadMessage[] = [];
  while (unread.size > 0)
    for (const { partition, offset, key, value } of await promisified<rdkafka.Message[]>((done) =>
      consumer.consume(500, done),
    ))
      messages.push({ partition, offset, key: String(key ?? ''), value: (value ?? null) as Buffer | null });
  await new Promise<void>((resolve) => {
    consumer.disconnect(() => resolve());
  });
  return messages;
}
