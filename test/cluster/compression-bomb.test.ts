import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterTopicSpecs } from '../../src/cluster/topics.ts';
import { createMissingTopics, withAdmin } from '../../src/kafka/admin.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';

/** Zeros, which gzip shortens to a thousandth. */
const EXPANDED_BYTES = 100 * 1024 * 1024;

let broker: KafkaBroker;
beforeAll(async () => {
  broker = await KafkaBroker.start();
}, 180_000);
afterAll(() => broker?.stop());

async function send(topic: string): Promise<void> {
  const producer = new Kafka({
    brokers: [broker.address],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  }).producer();
  await producer.connect();
  try {
    const messages = [{ key: 'cam/1', partition: 0, value: Buffer.alloc(EXPANDED_BYTES) }];
    await producer.send({ topic, compression: CompressionTypes.GZIP, messages });
  } finally {
    await producer.disconnect();
  }
}

describe('a batch of 100 kB that expands to 100 MB', () => {
  it('is rejected by the brokers on the topics that workers read', async () => {
    const kafka = kafkaOptions.parse({ brokers: [broker.address], topics: { partitions: 1 } });
    const plain = { name: 'plain', partitions: 1, replication: -1, config: {} };
    await withAdmin(kafka, (admin) => createMissingTopics(admin, [...clusterTopicSpecs(kafka), plain]));
    for (const topic of ['au.crops', 'au.infer-state', 'au.camera-config'])
      await expect(send(topic), topic).rejects.toThrow(/larger than the max message size/);
    // A topic with Kafka's default accepts it.
    await send('plain');
  }, 120_000);
});
