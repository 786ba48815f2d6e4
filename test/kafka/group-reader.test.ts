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
async function join(onMessage: () => void = () => {}) {
  const received = new Set<number>();
  const reader = await GroupReader.open(
    kafkaOptions.parse({ brokers: broker.addresses }),
    { topic: TOPIC, group: 'readers', sessionSeconds: 6, from: 'end' },
    {
      assigned: () => {},
      revoked: async () => {},
      message: ({ partition }) => {
        received.add(partition);
        onMessage();
      },
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

  it('fails with what a handler of its messages throws, and can be closed in order', async () => {
    const failing = await join(() => {
      throw new Error('a bug');
    });
    await expect.poll(() => failing.reader.owned.size, TIMEOUT).toBe(4);
    const send = setInterval(() => broker.send(TOPIC, 0, Buffer.from('crops')), 200);
    await expect(failing.reader.failed).rejects.toThrow('a bug');
    clearInterval(send);
    // Also with paused partitions; a group that is not left keeps them until the session ends.
    failing.reader.pauseOnly(failing.reader.owned);
    const before = performance.now();
    await failing.reader.close();
    expect(performance.now() - before).toBeLessThan(4_000);
    expect(failing.reader.consumer.isConnected()).toBe(false);
  });
});
