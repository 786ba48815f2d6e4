// Each situation of docs/delivery.md on a real broker. These tests hold what README promises:
// An event that was scored arrives on its topic, or you are told.
// The events of one face arrive in order.
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  ConfigResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { consume } from '../../src/consume/index.ts';
import { recordType } from '../../src/records/avro.ts';
import { startAclBroker } from '../broker/acl-broker.ts';
import { freePorts } from '../broker/java.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { readTopic } from '../broker/read-topic.ts';
import { frameNumber } from '../records/samples.ts';
import { everyTrack, LedgerPublisher } from './ledger-publisher.ts';

const PASSWORD = 'a-password-for-tests';
const WAIT = { timeout: 60_000, interval: 100 };

let broker: KafkaBroker;
let admin: Admin;
let root: string;
let dir: string;
let tests = 0;
let prefix: string;
let ledger: LedgerPublisher | null = null;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'austream-rows-'));
  broker = await startAclBroker(['austream'], PASSWORD);
  admin = await connectAdmin();
}, 240_000);
afterAll(async () => {
  await admin?.disconnect();
  await broker?.stop();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  tests += 1;
  prefix = `t${tests}.`;
  dir = join(root, prefix);
});
afterEach(async () => {
  await ledger?.publisher.close();
  ledger = null;
});

async function connectAdmin(): Promise<Admin> {
  const connected = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
  await connected.connect();
  return connected;
}

const open = async (kafka: object = {}) => {
  ledger = await LedgerPublisher.open({
    brokers: [broker.address],
    topicPrefix: prefix,
    topics: { partitions: 3 },
    ...kafka,
  });
  return ledger;
};
const spool = (options: object = {}) => ({ spool: { dir, ...options } });
/** Connects with a user that obeys ACLs. */
const asUser = () => ({
  brokers: [broker.secured],
  sasl: { mechanism: 'SCRAM-SHA-512', username: 'austream', password: PASSWORD },
});

const setTopic = (topic: string, name: string, value: string | null) =>
  admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: value === null ? [] : [{ name, value }],
      },
    ],
  });

/** Nothing was lost, and every frame is in the topic, in order. */
async function expectAll(of: LedgerPublisher): Promise<void> {
  await of.publisher.flush(60_000);
  expect(of.lost).toEqual({});
  expect(await of.arrived([broker.address])).toEqual(everyTrack(0, of.published));
}

describe('topics', () => {
  test('a deleted topic is created again; other topics do not wait', async () => {
    const ledger = await open(spool());
    ledger.publish(100);
    await ledger.publisher.flush(30_000);
    await admin.deleteTopics({ topics: [`${prefix}frames`] });
    ledger.publish(100);
    await expect
      .poll(() => ledger.told, WAIT)
      .toContain(`held ${prefix}frames kafka_unknown_topic_or_partition`);
    expect(ledger.topic('activations').held).toBeNull();
    ledger.publish(100);
    await ledger.publisher.flush(60_000);
    expect(ledger.lost).toEqual({});
    expect(ledger.told.at(-1)).toBe(`delivering ${prefix}frames`);
    const arrived = await ledger.arrived([broker.address]);
    expect(arrived).toEqual(everyTrack(100, 300));
  });

  test('a topic that must not be created is waited for', async () => {
    await open();
    await ledger!.publisher.close();
    const waiting = await open({ ...spool(), topics: { create: false } });
    await admin.deleteTopics({ topics: [`${prefix}frames`] });
    waiting.publish(100);
    await expect
      .poll(() => waiting.topic('frames').held?.cause, WAIT)
      .toBe('kafka_unknown_topic_or_partition');
    await expect(waiting.publisher.flush(100)).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
    await admin.createTopics({ topics: [{ topic: `${prefix}frames`, numPartitions: 2 }] });
    await expectAll(waiting);
  });

  test('a broker that comes back empty gets its topics and all events that it had not acknowledged', async () => {
    const ledger = await open(spool());
    ledger.publish(100);
    await ledger.publisher.flush(30_000);
    await broker.kill9();
    ledger.publish(2000);
    await expect.poll(() => ledger.topic('frames').held?.cause, WAIT).toBe('kafka_unreachable');
    await admin.disconnect();
    await broker.wipe();
    await broker.restart();
    admin = await connectAdmin();
    ledger.publish(100);
    await ledger.publisher.flush(60_000);
    expect(ledger.lost).toEqual({});
    expect(await ledger.arrived([broker.address])).toEqual(everyTrack(100, 2200));
  });
});

describe('rights', () => {
  const acl = (
    resourceType: AclResourceTypes,
    resourceName: string,
    operation: AclOperationTypes,
    permissionType = AclPermissionTypes.ALLOW,
    resourcePatternType = ResourcePatternTypes.LITERAL,
  ) => ({
    ...{ resourceType, resourceName, operation, permissionType, resourcePatternType },
    ...{ principal: 'User:austream', host: '*' },
  });
  const allow = (operation: AclOperationTypes) =>
    admin.createAcls({
      acl: [
        acl(
          ...([AclResourceTypes.TOPIC, prefix, operation, AclPermissionTypes.ALLOW] as const),
          ResourcePatternTypes.PREFIXED,
        ),
      ],
    });
  const deny = (topic: string, operation: AclOperationTypes) =>
    acl(AclResourceTypes.TOPIC, topic, operation, AclPermissionTypes.DENY);

  test('a user without rights cannot start, and the error names what is refused', async () => {
    await open();
    await ledger!.publisher.close();
    for (const kafka of [{}, spool()])
      await expect(open({ ...asUser(), topics: { create: false }, ...kafka })).rejects.toMatchObject({
        code: 'KAFKA_REJECTED',
        message: expect.stringMatching(new RegExp(`${prefix}|authoriz`, 'i')),
      });
  });

  // The commands check the rights before they start: test/kafka/rights.test.ts.
  test('a user who may write no topic is refused before the first event: the start fails, or events are held and told', async () => {
    await open();
    await ledger!.publisher.close();
    await allow(AclOperationTypes.DESCRIBE);
    // Brokers refuse such a producer while it connects or a moment later.
    const started = await open({ ...asUser(), topics: { create: false }, ...spool() }).catch(
      (error) => error,
    );
    if (!(started instanceof LedgerPublisher)) {
      expect(started).toMatchObject({
        code: 'KAFKA_REJECTED',
        message: expect.stringContaining('Cluster authorization failed'),
      });
      return;
    }
    started.publish(10);
    await expect.poll(() => started.topic('frames').held?.cause, WAIT).toMatch(/authorization_failed$/);
    await allow(AclOperationTypes.WRITE);
    await expectAll(started);
  });

  test('events of a topic that may be seen but not written are held and told from the first one', async () => {
    await open();
    await ledger!.publisher.close();
    await allow(AclOperationTypes.DESCRIBE);
    const mayWrite = acl(AclResourceTypes.TOPIC, `${prefix}activations`, AclOperationTypes.WRITE);
    await admin.createAcls({ acl: [mayWrite] });
    const held = await open({ ...asUser(), topics: { create: false }, ...spool() });
    held.publish(10);
    await expect.poll(() => held.topic('frames').held?.cause, WAIT).toBe('kafka_topic_authorization_failed');
    expect(held.topic('activations').held).toBeNull();
    await allow(AclOperationTypes.WRITE);
    await expectAll(held);
  });

  for (const disk of [true, false])
    test(`a right that is taken away holds its topic ${disk ? 'on disk' : 'in memory'} until it is given back`, async () => {
      await allow(AclOperationTypes.ALL);
      await open();
      await ledger!.publisher.close();
      const held = await open({ ...asUser(), topics: { create: false }, ...(disk ? spool() : {}) });
      held.publish(50);
      await held.publisher.flush(30_000);
      const denied = deny(`${prefix}frames`, AclOperationTypes.WRITE);
      await admin.createAcls({ acl: [denied] });
      await expect
        .poll(() => {
          held.publish(5);
          return held.topic('frames').held?.cause;
        }, WAIT)
        .toBe('kafka_topic_authorization_failed');
      expect(held.topic('activations').held).toBeNull();
      held.publish(500);
      await expect.poll(() => held.topic('frames').oldestSeconds ?? 0, WAIT).toBeGreaterThan(1);
      await admin.deleteAcls({ filters: [denied] });
      await expectAll(held);
      expect(held.told.at(-1)).toBe(`delivering ${prefix}frames`);
    });
});

describe('what a topic takes', () => {
  test('a spool drains into a topic with a smaller max.message.bytes', async () => {
    const ledger = await open(spool());
    ledger.publish(10);
    await ledger.publisher.flush(30_000);
    await setTopic(`${prefix}frames`, 'max.message.bytes', '1000');
    await broker.kill9();
    ledger.publish(5000);
    await expect.poll(() => ledger.topic('frames').held?.cause, WAIT).toBe('kafka_unreachable');
    await broker.restart();
    await expectAll(ledger);
  }, 240_000);

  test('a record that is too large alone goes to the dead letters and is told; the others are delivered', async () => {
    const ledger = await open(spool());
    ledger.publish(10);
    await ledger.publisher.flush(30_000);
    // One frame of another camera with a long list of zones.
    await setTopic(`${prefix}frames`, 'max.message.bytes', '3000');
    const large = {
      ...frameNumber(1_000_000, { cameraId: 'yard' }),
      zones: Array.from({ length: 2000 }, (_, index) => `zone-${(index * 7919) % 10_007}-${Math.sin(index)}`),
    };
    ledger.publish(5);
    ledger.publisher.frames([large]);
    ledger.publish(5);
    await expect.poll(() => ledger.lost, WAIT).toEqual({ record_too_large: 1 });
    await ledger.publisher.flush(60_000);
    const frames = await readTopic([broker.address], `${prefix}frames`);
    expect(frames.some(({ key }) => key.startsWith('yard'))).toBe(false);
    expect(await ledger.arrived([broker.address])).toEqual(everyTrack(0, 20));
    const [letter] = await readTopic([broker.address], `${prefix}deadletter`);
    const { value } = recordType('DeadLetter').fromBuffer(letter!.value!.subarray(10)) as { value: Buffer };
    const sent = recordType('AuFrame').fromBuffer(Buffer.from(value).subarray(10)) as { zones: string[] };
    expect(sent.zones).toEqual(large.zones);
  });

  test('refused time stamps, as of a clock that differs, hold the topic', async () => {
    const ledger = await open();
    await setTopic(`${prefix}frames`, 'message.timestamp.before.max.ms', '1');
    ledger.publish(20);
    await expect
      .poll(() => ledger.topic('frames').held?.cause, WAIT)
      .toMatch(/^kafka_(invalid_timestamp|broker_failed_to_validate_record)$/);
    ledger.publish(20);
    await setTopic(`${prefix}frames`, 'message.timestamp.before.max.ms', null);
    await expectAll(ledger);
  });
});

// Needs a small file system of its own, which only root can mount.
test.runIf(process.getuid?.() === 0)(
  'a full disk loses nothing while memory is free, and the spool says so',
  async () => {
    const mounted = mkdtempSync(join(root, 'full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', mounted]);
    try {
      const ledger = await open({ spool: { dir: mounted } });
      ledger.publish(10);
      await ledger.publisher.flush(30_000);
      await broker.kill9();
      ledger.publish(3000);
      await expect.poll(() => ledger.topic('frames').held?.cause, WAIT).toBe('kafka_unreachable');
      ledger.publish(3000);
      expect(ledger.told).toContain('spool failing');
      await broker.restart();
      await expectAll(ledger);
    } finally {
      await ledger?.publisher.close();
      ledger = null;
      execFileSync('umount', [mounted]);
    }
  },
);

test('a spool that is full drops the oldest events, and tells exactly how many', async () => {
  const ledger = await open(spool({ maxMegabytes: 1 }));
  ledger.publish(10);
  await ledger.publisher.flush(30_000);
  await broker.kill9();
  while (!(ledger.lost.spool_full! > 500)) {
    ledger.publish(25);
    await sleep(5);
  }
  ledger.publish(10);
  await broker.restart();
  await ledger.publisher.flush(60_000);
  const tracks = await ledger.arrived([broker.address]);
  const missing = tracks.map((frames) =>
    everyTrack(0, ledger.published)[0]!.filter((n) => !frames.includes(n)),
  );
  expect(ledger.lost).toEqual({ spool_full: missing.flat().length });
  for (const [track, frames] of tracks.entries()) {
    expect(frames).toEqual(frames.toSorted((x, y) => x - y));
    // One piece, behind those that were in flight.
    const first = missing[track]![0]!;
    expect(first).toBeGreaterThanOrEqual(10);
    expect(missing[track]).toEqual(missing[track]!.map((_, index) => first + index));
  }
}, 120_000);

test('brokers with IPv6 addresses', async () => {
  const [port] = await freePorts(1);
  const address = `[::1]:${port}`;
  const other = await KafkaBroker.start({
    further: { protocol: 'PLAINTEXT', listen: address, advertised: address },
  });
  try {
    const ledger = await open({ brokers: [address], ...spool() });
    ledger.publish(100);
    await ledger.publisher.flush(30_000);
    expect(ledger.lost).toEqual({});
    expect(await ledger.arrived([other.address])).toEqual(everyTrack(0, 100));
    const frames = consume({
      ...{ brokers: [address], topics: [`${prefix}frames`], groupId: 'ipv6', fromBeginning: true },
    });
    for await (const { value } of frames) {
      expect(value).toMatchObject({ frame: 0 });
      break;
    }
  } finally {
    await ledger?.publisher.close();
    ledger = null;
    await other.stop();
  }
}, 120_000);

test('a publisher that is closed while it connects leaves nothing behind', async () => {
  await broker.kill9();
  const script = fileURLToPath(new URL('close-while-connecting.ts', import.meta.url));
  const kafka = { brokers: [broker.address], topicPrefix: prefix, ...spool(), connectSeconds: 1 };
  const child = fork(script, [JSON.stringify(kafka)], { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
  let errors = '';
  child.stderr!.on('data', (chunk) => {
    errors += chunk;
  });
  const ended = once(child, 'exit');
  await once(child, 'message');
  await broker.restart();
  child.send('restarted');
  expect(await ended).toEqual([0, null]);
  expect(errors).not.toMatch(/Error/);
  const next = await open(spool());
  await next.publisher.flush(60_000);
  const frames = await readTopic([broker.address], `${prefix}frames`);
  expect(frames).toHaveLength(10);
}, 120_000);
