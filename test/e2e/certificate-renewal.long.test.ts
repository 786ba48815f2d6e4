import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMissingTopics, withAdmin } from '../../src/kafka/admin.ts';
import { GroupReader } from '../../src/kafka/group-reader.ts';
import { type KafkaOptions, kafkaOptions } from '../../src/kafka/options.ts';
import { TableReader } from '../../src/kafka/table-reader.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { TestAuthority } from '../broker/certificates.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { frameNumber } from '../records/samples.ts';

const PREFIX = 'renewal.';
/** Until the client's first certificate expires. */
const VALID_SECONDS = 25;

let dir: string;
let authority: TestAuthority;
let broker: KafkaBroker;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'austream-renewal-'));
  authority = new TestAuthority(dir);
  authority.issue('server');
  broker = await KafkaBroker.start({
    secured: 'SSL',
    properties: {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': join(dir, 'server-keystore.pem'),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': authority.ca,
      'ssl.client.auth': 'required',
    },
  });
}, 240_000);
afterAll(async () => {
  await broker?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** The eventIds on the frames topic are not decoded: the count of records is what matters here. */
async function recordsOn(topic: string): Promise<number> {
  const admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const partitions = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  return partitions.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
}

async function write(topic: string, value: string): Promise<void> {
  const producer = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ key: 'key', value }] });
  await producer.disconnect();
}

test('a client certificate that expired and was renewed on disk is used without a restart, and nothing is lost', async () => {
  authority.issue('client', { seconds: VALID_SECONDS });
  const expiresAt = Date.now() + VALID_SECONDS * 1000;
  const [certificate, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
  copyFileSync(join(dir, 'client.pem'), certificate);
  copyFileSync(join(dir, 'client.key'), key);
  const options: KafkaOptions = kafkaOptions.parse({
    brokers: [broker.secured],
    topicPrefix: PREFIX,
    tls: { ca: authority.ca, certificate, key },
    topics: { partitions: 1 },
  });
  const table = `${PREFIX}table`;
  await withAdmin(options, (admin) =>
    createMissingTopics(admin, [
      { name: table, partitions: 1, replication: 1, config: { 'cleanup.policy': 'compact' } },
    ]),
  );
  const states: string[] = [];
  const publisher = await openPublisher(options, {
    acknowledged: () => {},
    dropped: () => expect.unreachable('nothing may be lost'),
    connection: (state) => states.push(state),
  });
  const received: string[] = [];
  const assigned: number[] = [];
  const revoked: number[] = [];
  const reader = await GroupReader.open(
    options,
    { topic: table, group: 'renewal', sessionSeconds: 6, from: 'beginning' },
    {
      assigned: (partition) => assigned.push(partition),
      revoked: async (partition) => void revoked.push(partition),
      message: ({ value }) => received.push(String(value)),
      caughtUp: () => {},
    },
  );
  const rows = await TableReader.open(options, table);
  await write(table, 'before');
  publisher.frames(Array.from({ length: 100 }, (_, number) => frameNumber(number)));
  await publisher.flush(15_000);
  await expect.poll(() => received, { timeout: 20_000 }).toContain('before');
  expect(Date.now()).toBeLessThan(expiresAt);

  await expect.poll(() => Date.now() > expiresAt + 1_000, { timeout: 60_000, interval: 500 }).toBe(true);
  await broker.kill9();
  await broker.restart();
  publisher.frames(Array.from({ length: 100 }, (_, number) => frameNumber(100 + number)));
  await expect.poll(() => publisher.stats().connected, { timeout: 30_000 }).toBe(false);
  await sleep(3_000);
  expect(publisher.stats()).toMatchObject({ pending: 100, dropped: 0 });
  await write(table, 'after');

  authority.issue('renewed', { name: 'client' });
  copyFileSync(join(dir, 'renewed.pem'), certificate);
  // As with two secrets that are updated one after the other.
  await sleep(6_000);
  copyFileSync(join(dir, 'renewed.key'), key);
  await publisher.flush(60_000);
  expect(publisher.stats()).toMatchObject({ connected: true, pending: 0, dropped: 0 });
  expect(states).toEqual(['connected', 'unreachable', 'connected']);
  // At least once: a record that was acknowledged as the connection broke may be there twice.
  expect(await recordsOn(`${PREFIX}frames`)).toBeGreaterThanOrEqual(200);
  await expect.poll(() => received, { timeout: 60_000 }).toContain('after');
  expect(revoked).toEqual([0]);
  expect(assigned).toEqual([0, 0]);
  expect(String((await rows.read(0)).get('key'))).toBe('after');
  await Promise.all([publisher.close(), reader.close(), rows.close()]);
}, 240_000);
