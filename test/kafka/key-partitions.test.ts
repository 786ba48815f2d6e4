import rdkafka from 'node-rdkafka';
import { expect, test } from 'vitest';
import { KeyPartitions } from '../../src/kafka/key-partitions.ts';
import { MockBroker } from '../broker/mock-broker.ts';
import { readTopic } from '../broker/read-topic.ts';

test('keys go where librdkafka’s murmur2 partitioner puts them', async () => {
  const broker = await MockBroker.start(['keys']);
  const producer = new rdkafka.Producer({ 'bootstrap.servers': broker.addresses.join() }, {
    partitioner: 'murmur2_random',
  } as object);
  await new Promise((resolve) => producer.connect({}, resolve));
  const keys = Array.from({ length: 300 }, (_, index) => `Tür ${'x'.repeat(index % 7)}/${index}`);
  for (const key of keys) producer.produce('keys', null, Buffer.from('-'), key);
  await new Promise((resolve) => producer.flush(10_000, resolve));
  await new Promise((resolve) => producer.disconnect(resolve));
  const messages = await readTopic(broker.addresses, 'keys');
  const partitions = new KeyPartitions(4);
  expect(messages).toHaveLength(keys.length);
  for (const { key, partition } of messages) expect(partitions.of(key), key).toBe(partition);
  await broker.stop();
});
