import { afterAll, beforeAll, expect, it } from 'vitest';
import { createMissingTopics, withAdmin } from '../../src/kafka/admin.ts';
import { GroupReader } from '../../src/kafka/group-reader.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';

const TOPIC = 'later';

let broker: KafkaBroker;
beforeAll(async () => {
  broker = await KafkaBroker.start();
}, 60_000);
afterAll(() => broker?.stop());

it('a topic that is created later and partitions that are added are read within half a minute', async () => {
  const kafka = kafkaOptions.parse({ brokers: [broker.address] });
  const reader = await GroupReader.open(
    kafka,
    { topic: TOPIC, group: 'readers', sessionSeconds: 6, from: 'beginning' },
    { assigned: () => {}, revoked: async () => {}, message: () => {}, caughtUp: () => {} },
  );
  // The refresh, then a rebalance.
  const owns = (count: number) =>
    expect.poll(() => reader.owned.size, { timeout: 45_000, interval: 500 }).toBe(count);
  await withAdmin(kafka, async (admin) => {
    await createMissingTopics(admin, [{ name: TOPIC, partitions: 2, replication: 1, config: {} }]);
    await owns(2);
    await admin.createPartitions({ topicPartitions: [{ topic: TOPIC, count: 3 }] });
    await owns(3);
  });
  await reader.close();
}, 150_000);
