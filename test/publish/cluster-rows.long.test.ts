// Situations of docs/delivery.md that need more than one broker, or another address: nothing is lost, or it is told.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NODES, type NodeIndex } from '../broker/kafka-cluster.ts';
import { Random } from '../torture/random.ts';
import { PREFIX, SecuredCluster, USER, until } from '../torture/secured-cluster.ts';
import { everyTrack, LedgerPublisher } from './ledger-publisher.ts';

const WAIT = { timeout: 60_000, interval: 100 };

let ledger: LedgerPublisher | null = null;
afterEach(async () => {
  await ledger?.publisher.close();
  ledger = null;
});

describe('three brokers', () => {
  let cluster: SecuredCluster;
  let tests = 0;
  let prefix: string;
  beforeAll(async () => {
    cluster = await SecuredCluster.start(new Random(1));
  }, 600_000);
  afterAll(() => cluster?.stop());
  beforeEach(() => {
    tests += 1;
    prefix = `${PREFIX}rows${tests}.`;
  });

  async function open(): Promise<LedgerPublisher> {
    ledger = await LedgerPublisher.open({
      ...cluster.connection,
      topicPrefix: prefix,
      topics: { partitions: 3 },
      spool: { dir: join(cluster.dir, prefix) },
    });
    ledger.publish(10);
    await ledger.publisher.flush(60_000);
    return ledger;
  }

  async function expectAll(of: LedgerPublisher): Promise<void> {
    await of.publisher.flush(120_000);
    expect(of.lost).toEqual({});
    expect(await of.arrived(cluster.brokers.plain)).toEqual(everyTrack(0, of.published));
  }

  /** The node that leads partition 0 of the frames. */
  async function leader(): Promise<NodeIndex> {
    const { topics } = await cluster.admin.fetchTopicMetadata({ topics: [`${prefix}frames`] });
    return NODES.find((node) => node + 1 === topics[0]!.partitions[0]!.leader)!;
  }

  const alterTopic = (topic: string, ...change: readonly string[]) =>
    cluster.brokers.alter('--entity-type', 'topics', '--entity-name', `${prefix}${topic}`, ...change);

  test('too few replicas in sync hold the topic, not the others', async () => {
    const held = await open();
    await alterTopic('frames', '--add-config', 'min.insync.replicas=3');
    const node = NODES.find((candidate) => candidate !== 0)!;
    await cluster.brokers.kill9(node);
    await until('two replicas are in sync', async () => {
      const { topics } = await cluster.admin.fetchTopicMetadata({ topics: [`${prefix}frames`] });
      return topics[0]!.partitions.every(({ isr }) => isr.length === 2);
    });
    held.publish(200);
    await expect.poll(() => held.topic('frames').held, WAIT).not.toBeNull();
    expect(held.topic('activations').held).toBeNull();
    await expect(held.publisher.flush(100)).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
    await cluster.brokers.restart(node);
    await expectAll(held);
    expect(held.told.at(-1)).toBe(`delivering ${prefix}frames`);
  }, 300_000);

  test('the leader of a partition dies: the next one gets everything, in order', async () => {
    const changing = await open();
    const node = await leader();
    const killed = cluster.brokers.kill9(node);
    for (let batch = 0; batch < 20; batch += 1) {
      changing.publish(20);
      await sleep(100);
    }
    await killed;
    await until('there is another leader', async () => (await leader()) !== node);
    changing.publish(20);
    await expectAll(changing);
    await cluster.brokers.restart(node);
    await cluster.reconnectAdmin();
  }, 300_000);

  test('a quota slows the delivery down and loses nothing', async () => {
    const user = ['--entity-type', 'users', '--entity-name', USER];
    const slowed = await open();
    await cluster.brokers.alter(...user, '--add-config', 'producer_byte_rate=2000');
    for (let batch = 0; batch < 10; batch += 1) {
      slowed.publish(50);
      await sleep(200);
    }
    await expect.poll(() => slowed.topic('frames').held, WAIT).not.toBeNull();
    await cluster.brokers.alter(...user, '--delete-config', 'producer_byte_rate');
    await expectAll(slowed);
  }, 300_000);

  test('partitions are added while events are published: none is lost', async () => {
    const growing = await open();
    growing.publish(100);
    await cluster.admin.createPartitions({ topicPartitions: [{ topic: `${prefix}frames`, count: 6 }] });
    for (let batch = 0; batch < 10; batch += 1) {
      growing.publish(50);
      await sleep(200);
    }
    await growing.publisher.flush(120_000);
    expect(growing.lost).toEqual({});
    // Keys move to other partitions, so that the order across partitions is not promised.
    const arrived = await growing.arrived(cluster.brokers.plain);
    expect(arrived.map((frames) => frames.toSorted((a, b) => a - b))).toEqual(
      everyTrack(0, growing.published),
    );
  }, 300_000);
});
