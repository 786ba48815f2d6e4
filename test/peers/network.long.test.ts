import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { consume } from '../../src/consume/index.ts';
import { recordType } from '../../src/records/avro.ts';
import { BrokerProxy } from '../broker/broker-proxy.ts';
import { freePorts } from '../broker/java.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { Collector } from '../torture/collector.ts';
import { NETWORK_CASES, type NetworkCase } from './network-cases.ts';
import { FRAMES_PER_SECOND, ObservedSource } from './observed-source.ts';

/** Of Avro's single-object encoding. */
const HEADER_BYTES = 10;
const SAFE = { difference: 0, outOfOrder: 0, told: {} };

let broker: KafkaBroker;
let proxy: BrokerProxy;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'austream-network-'));
  const [port] = await freePorts(1);
  proxy = await BrokerProxy.start(port!);
  broker = await KafkaBroker.start({
    further: { protocol: 'PLAINTEXT', listen: `127.0.0.1:${port}`, advertised: proxy.address },
  });
}, 600_000);
afterAll(async () => {
  await proxy?.stop();
  await broker?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** The network fails for its time. While it does, `told` becomes true, or events flow. */
async function fail(
  { begin, seconds }: NetworkCase,
  source: ObservedSource,
  told: (() => boolean) | null,
): Promise<void> {
  const { ledger } = source;
  await expect.poll(() => ledger.receivedCount, { timeout: 60_000 }).toBeGreaterThan(FRAMES_PER_SECOND);
  const began = performance.now();
  const before = ledger.receivedCount;
  await begin(proxy);
  if (told) await expect.poll(told, { timeout: 60_000 }).toBe(true);
  else await expect.poll(() => ledger.receivedCount, { timeout: 60_000 }).toBeGreaterThan(before + 500);
  await sleep(Math.max(0, seconds * 1000 - (performance.now() - began)));
}

async function mend({ name }: NetworkCase): Promise<void> {
  proxy.set();
  if (name === 'connections refused') await proxy.listen();
}

const prefixOf = (who: string, { name }: NetworkCase) => `${who}-${name.replaceAll(/\W+/g, '-')}.`;
const topicsOf = (prefix: string) => [`${prefix}frames`, `${prefix}activations`];

describe('the publisher loses nothing, keeps the order of each track and says what waits', () => {
  test.each(NETWORK_CASES)(
    '$name',
    async (network) => {
      const topicPrefix = prefixOf('publisher', network);
      const source = new ObservedSource({
        ...{ brokers: [proxy.address], topicPrefix, memoryMegabytes: 1, topics: { partitions: 3 } },
        spool: { dir: join(dir, topicPrefix) },
      });
      const collector = new Collector(
        [broker.address],
        topicsOf(topicPrefix),
        ({ topic, partition, value }) => {
          const type = recordType(topic.endsWith('frames') ? 'AuFrame' : 'AuActivation');
          source.received(type.fromBuffer(value.subarray(HEADER_BYTES)), topic, partition);
        },
      );
      try {
        const held = () => source.messages.some((message) => message.includes('held kafka_unreachable'));
        await fail(network, source, network.held ? held : null);
        await mend(network);
        await expect.poll(() => source.pending, { timeout: 120_000 }).toBeLessThan(FRAMES_PER_SECOND);
        expect(await source.stop()).toBeNull();
        await expect.poll(() => source.ledger.balance().difference, { timeout: 30_000 }).toBe(0);
        expect(source.ledger.balance()).toMatchObject(SAFE);
      } finally {
        proxy.set();
        source.kill();
        await collector.stop();
      }
    },
    400_000,
  );
});

describe('a consumer misses nothing, keeps the order of each track and says that nothing arrives', () => {
  test.each(NETWORK_CASES.filter(({ starved }) => starved !== null))(
    '$name',
    async (network) => {
      const topicPrefix = prefixOf('consumer', network);
      const source = new ObservedSource({
        ...{ brokers: [broker.address], topicPrefix, topics: { partitions: 3 } },
      });
      const stop = new AbortController();
      let retrying = false;
      const unexpected = (what: object) => expect.unreachable(JSON.stringify(what));
      const consuming = (async () => {
        await expect.poll(() => source.ledger.published, { timeout: 60_000 }).toBeGreaterThan(0);
        const events = consume({
          ...{ brokers: [proxy.address], topics: topicsOf(topicPrefix), groupId: topicPrefix },
          ...{ fromBeginning: true, signal: stop.signal, onPoison: unexpected, onReset: unexpected },
          onRetry: (problem) => {
            retrying ||= problem !== null;
          },
        });
        for await (const { record, value, topic, partition } of events)
          if (record === 'AuFrame' || record === 'AuActivation') source.received(value, topic, partition);
      })();
      try {
        await fail(network, source, network.starved ? () => retrying : null);
        await mend(network);
        expect(await source.stop()).toBeNull();
        await expect.poll(() => source.ledger.balance().difference, { timeout: 120_000 }).toBe(0);
        expect(source.ledger.balance()).toMatchObject(SAFE);
      } finally {
        proxy.set();
        source.kill();
        stop.abort();
        await consuming;
      }
    },
    400_000,
  );
});
