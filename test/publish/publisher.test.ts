import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { SpoolFolder } from '../../src/publish/spool-folder.ts';
import { RecordEncoder } from '../../src/records/avro.ts';
import { confluentHeader } from '../../src/records/schema-registry.ts';
import { readTopic } from '../broker/read-topic.ts';
import { frameNumber } from '../records/samples.ts';

test('spooled frames of another schema are delivered unchanged; frames of this schema are also acknowledged', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'austream-publisher-'));
  const encoder = new RecordEncoder('AuFrame');
  const current = encoder.encode(frameNumber(3));
  const older = Buffer.from(current.subarray(0, -2));
  older[2]! ^= 1;
  const values = [
    older,
    new RecordEncoder('AuFrame', confluentHeader(7)).encode(frameNumber(2)),
    // As if another registry had given this id to another schema.
    Buffer.concat([encoder.header, Buffer.from('not a frame')]),
    current,
  ];
  const spool = await SpoolFolder.open(
    { dir, maxMegabytes: 1, syncSeconds: 0 },
    { lost: () => expect.unreachable() },
  );
  spool.topic('au.frames').append(
    values.map((value, index) => ({ seq: index + 1, topic: 'au.frames', key: 'lobby/1', value })),
    0,
  );
  await spool.close();

  const acknowledged: object[] = [];
  const events = {
    acknowledged: (frame: object) => acknowledged.push(frame),
    dropped: () => expect.unreachable('nothing may be lost'),
  };
  const broker = await openPublisher(kafkaOptions.parse({ embedded: true }), events);
  const publisher = await openPublisher(
    kafkaOptions.parse({ brokers: [broker.brokers], spool: { dir }, topics: { create: false } }),
    events,
  );
  await publisher.flush(30_000);
  expect(publisher.stats()).toMatchObject({ acknowledged: 4, dropped: 0, pending: 0 });
  const { eventId, receivedAt } = frameNumber(3);
  expect(acknowledged).toEqual([expect.objectContaining({ eventId, receivedAt })]);
  await publisher.close();
  await broker.close();
  rmSync(dir, { recursive: true });
});

test('an event that does not fit the schema concerns no other', async () => {
  const acknowledged: number[] = [];
  const dropped: unknown[] = [];
  const publisher = await openPublisher(kafkaOptions.parse({ embedded: true }), {
    acknowledged: ({ frame }) => acknowledged.push(frame),
    dropped: (...loss) => dropped.push(loss),
  });
  publisher.frames([frameNumber(1), { ...frameNumber(2), box: null as never }, frameNumber(3)]);
  publisher.frames([frameNumber(4)]);
  await publisher.flush(30_000);
  await publisher.close();
  expect(acknowledged).toEqual([1, 3, 4]);
  expect(dropped).toEqual([[frameNumber(2).cameraId, 1, 'event_invalid']]);
});

test('the tombstone of a removed camera outlives an outage in the spool', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'austream-publisher-'));
  const events = { acknowledged: () => {}, dropped: () => expect.unreachable('nothing may be lost') };
  const options = { spool: { dir }, topics: { create: false }, connectSeconds: 1 };
  const away = await openPublisher(kafkaOptions.parse({ ...options, brokers: ['127.0.0.1:1'] }), events);
  away.removed('lobby');
  await away.close();
  const broker = await openPublisher(kafkaOptions.parse({ embedded: true }), events);
  const publisher = await openPublisher(
    kafkaOptions.parse({ ...options, brokers: [broker.brokers] }),
    events,
  );
  await publisher.flush(30_000);
  expect(await readTopic([broker.brokers], 'au.cameras')).toMatchObject([{ key: 'lobby', value: null }]);
  await publisher.close();
  await broker.close();
  rmSync(dir, { recursive: true });
});
