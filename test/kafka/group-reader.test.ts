import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GroupReader } from '../../src/kafka/group-reader.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { MockBroker } from '../broker/mock-broker.ts';

const TOPIC = 'au.crops';
const PATIENT = { timeout: 40_000 };

let broker: MockBroker;
beforeAll(async () => {
  broker = await MockBroker.start([TOPIC]);
});
afterAll(() => broker.stop());

/** A member of the group that notes the partitions that messages come from. */
async function join() {
  const heard = new Set<number>();
  const reader = await GroupReader.open(
    kafkaOptions.parse({ brokers: broker.addresses }),
    { topic: TOPIC, group: 'readers', sessionSeconds: 6, from: 'end' },
    {
      assigned: () => {},
      revoked: async () => {},
      message: ({ partition }) => void heard.add(partition),
      caughtUp: () => {},
    },
  );
  return { reader, heard };
}

describe('GroupReader', () => {
  it('reads a partition that went while it was paused, when it comes back', async () => {
    const stays = await join();
    const owned = (count: number) => expect.poll(() => stays.reader.owned.size, PATIENT).toBe(count);
    await owned(4);
    stays.reader.pause();
    const guest = await join();
    await owned(2);
    stays.reader.resume();
    await guest.reader.close();
    await owned(4);
    await expect
      .poll(() => {
        for (const partition of [0, 1, 2, 3]) broker.send(TOPIC, partition, Buffer.from('crops'));
        return stays.heard.size;
      }, PATIENT)
      .toBe(4);
    await stays.reader.close();
  });
});
