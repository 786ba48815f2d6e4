import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GroupReader } from '../../src/kafka/group-reader.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { MockBroker } from '../broker/mock-broker.ts';

const TOPIC = 'au.crops';
const TIMEOUT = { timeout: 40_000 };

let broker: MockBroker;
beforeAll(async () => {
  broker = await MockBroker.start([TOPIC]);
});
afterAll(() => broker.stop());

/** A member of the group that records the partitions from which messages arrive. */
async function join() {
  const received = new Set<number>();
  const reader = await GroupReader.open(
    kafkaOptions.parse({ brokers: broker.addresses }),
    { topic: TOPIC, group: 'readers', sessionSeconds: 6, from: 'end' },
    {
      assigned: () => {},
      revoked: async () => {},
      message: ({ partition }) => void received.add(partition),
      caughtUp: () => {},
    },
  );
  return { reader, received };
}

describe('GroupReader', () => {
  it('reads a partition again that was revoked while it was paused', async () => {
    const member = await join();
    const ownsPartitions = (count: number) =>
      expect.poll(() => member.reader.owned.size, TIMEOUT).toBe(count);
    await ownsPartitions(4);
    member.reader.pauseOnly(member.reader.owned);
    const second = await join();
    await ownsPartitions(2);
    member.reader.pauseOnly(new Set());
    await second.reader.close();
    await ownsPartitions(4);
    await expect
      .poll(() => {
        for (const partition of [0, 1, 2, 3]) broker.send(TOPIC, partition, Buffer.from('crops'));
        return member.received.size;
      }, TIMEOUT)
      .toBe(4);
    await member.reader.close();
  });
});
