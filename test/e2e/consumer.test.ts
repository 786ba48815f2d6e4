import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type AuFrame, type ConsumeOptions, consume, type OffsetReset } from '../../src/consume/index.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { RecordEncoder, schemaText } from '../../src/records/avro.ts';
import { confluentHeader } from '../../src/records/schema-registry.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { frameNumber } from '../records/samples.ts';
import { absent, type ScriptedAnswer, ScriptedRegistry } from '../records/scripted-registry.ts';

const require = createRequire(import.meta.url);
// kafkajs gives up after 1 s instead of 10 s.
Object.assign(require('kafkajs/src/retry/defaults.test.js'), { retries: 2 });
const Broker = require('kafkajs/src/broker/index.js');
const { createErrorFromCode } = require('kafkajs/src/protocol/error.js');
const NOT_COORDINATOR = 16;
const COORDINATOR_NOT_AVAILABLE = 15;

let broker: KafkaBroker;
let kafka: Kafka;
let admin: Admin;
beforeAll(async () => {
  broker = await KafkaBroker.start({ properties: { 'auto.create.topics.enable': 'true' } });
  kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
  admin = kafka.admin();
  await admin.connect();
  await waitForCoordinator();
}, 600_000);
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(async () => {
  await admin?.disconnect();
  await broker?.stop();
});

/** The first use of a group creates the topic of offsets. Until it has leaders, the broker has no group coordinator. */
async function waitForCoordinator(): Promise<void> {
  const hasCoordinator = () =>
    admin.fetchOffsets({ groupId: 'first' }).then(
      () => true,
      () => false,
    );
  while (!(await hasCoordinator())) await sleep(200);
}

async function publish(
  topicPrefix: string,
  from: number,
  to: number,
  { tracks = 1, ...options }: { tracks?: number; compression?: string } = {},
): Promise<void> {
  const publisher = await openPublisher(
    kafkaOptions.parse({ brokers: [broker.address], topicPrefix, topics: { partitions: 2 }, ...options }),
    { acknowledged: () => {}, dropped: () => expect.unreachable('nothing may be lost') },
  );
  for (let frame = from; frame < to; frame += 1)
    publisher.frames(
      Array.from({ length: tracks }, (_, index) => frameNumber(frame, { trackId: index + 1 })),
    );
  await publisher.flush(30_000);
  await publisher.close();
}

/** Creates a topic with one message. */
async function produceOne(topic: string, value: Buffer): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value }] });
  await producer.disconnect();
}

async function createTopic(topic: string, numPartitions: number): Promise<void> {
  // Deletion is asynchronous.
  await expect
    .poll(() => admin.createTopics({ topics: [{ topic, numPartitions }] }).catch(() => false))
    .toBe(true);
}

/** Frames of these numbers, dealt to the partitions in turn. */
async function produce(topic: string, from: number, to: number, partitions: number): Promise<void> {
  const encoder = new RecordEncoder('AuFrame');
  const messages = Array.from({ length: to - from }, (_, index) => ({
    partition: index % partitions,
    value: encoder.encode(frameNumber(from + index)),
  }));
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages });
  await producer.disconnect();
}

/** Offsets of the group that has the topic's name. */
async function committed(topic: string): Promise<string[]> {
  const [offsets] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
  return offsets!.partitions.map(({ offset }) => offset);
}

/** A member of the group with the topic's name reads this many frames, and ends. */
async function readOnce(topic: string, count: number, options: Partial<ConsumeOptions> = {}) {
  const stop = new AbortController();
  const frames: number[] = [];
  const resets: OffsetReset[] = [];
  const onReset = (reset: OffsetReset) => void resets.push(reset);
  const places = { topics: [topic], groupId: topic, fromBeginning: false };
  const following = readFrames(frames, { ...places, onReset, signal: stop.signal, ...options });
  try {
    await expect.poll(() => frames.length).toBe(count);
    await expect.poll(() => committed(topic)).not.toContain('-1');
  } finally {
    stop.abort();
    await following;
  }
  return { frames: frames.sort((a, b) => a - b), resets };
}

/** Appends the numbers of the frames to `read`, with a pause after each. */
async function readFrames(
  read: number[],
  options: Omit<ConsumeOptions, 'brokers'>,
  pauseMs = 0,
): Promise<void> {
  for await (const event of consume({ brokers: [broker.address], fromBeginning: true, ...options })) {
    if (event.record === 'AuFrame') read.push(event.value.frame);
    if (pauseMs > 0) await sleep(pauseMs);
  }
}

/** The error with which reading a topic fails. */
const consumeError = (topic: string, options: Partial<ConsumeOptions> = {}) =>
  readFrames([], { topics: [topic], groupId: `of-${topic}`, ...options }).catch((error) => error);

test('a consumer without commit stores no offsets', async () => {
  await publish('trace.', 0, 8);
  const stop = new AbortController();
  const read: number[] = [];
  const options = { topics: ['trace.frames'], groupId: 'trace', commit: false, signal: stop.signal };
  const following = readFrames(read, options, 300);
  await expect.poll(() => read.length).toBe(8);
  stop.abort();
  await following;
  const admin = kafka.admin();
  await admin.connect();
  const [topic] = await admin.fetchOffsets({ groupId: 'trace', topics: ['trace.frames'] });
  await admin.disconnect();
  expect(topic!.partitions.map(({ offset }) => offset)).toEqual(['-1', '-1']);
});

test('a slow consumer takes part in a rebalance after its current event', async () => {
  await publish('slow.', 0, 100, { tracks: 6 });
  const stop = new AbortController();
  const options = { topics: ['slow.frames'], groupId: 'slow', signal: stop.signal };
  const [first, second]: number[][] = [[], []];
  const following = [readFrames(first!, options, 300)];
  await expect.poll(() => first!.length).toBeGreaterThan(0);
  following.push(readFrames(second!, options, 300));
  // Without the check before each message the rebalance would wait for the rest of the batch, at least 200 events of 300 ms.
  await expect.poll(() => second!.length, { timeout: 50_000 }).toBeGreaterThan(0);
  expect(first!.length).toBeLessThan(150);
  stop.abort();
  await Promise.all(following);
});

test('the state of the registry sends no message to the dead letters: the consumer waits for the schema', async () => {
  const message = new RecordEncoder('AuFrame').encode(frameNumber(1)).subarray(10);
  await produceOne('waiting', Buffer.concat([confluentHeader(6), message]));
  await produceOne('waiting', Buffer.concat([confluentHeader(7), message]));
  const registry = await ScriptedRegistry.start();
  const answers: ScriptedAnswer[] = [
    { status: 404, body: '<h1>Not Found</h1>' },
    absent(40403, 'Schema not found'),
    { status: 429, headers: { 'retry-after': '1' } },
    { status: 200, body: { schema: schemaText('AuFrame') } },
    // The registry has accepted this user: it may do so again.
    { status: 403, body: { message: 'Forbidden' } },
    { status: 503, body: { error_code: 50003, message: 'no leader' } },
  ];
  registry.script = () => answers.shift() ?? { status: 200, body: { schema: schemaText('AuFrame') } };
  const onPoison = vi.fn();
  const stop = new AbortController();
  const events = consume({
    ...{ brokers: [broker.address], topics: ['waiting'], groupId: 'waiting', fromBeginning: true },
    ...{ registry: { url: registry.url }, onPoison, signal: stop.signal },
  });
  for (let count = 0; count < 2; count += 1)
    expect((await events.next()).value).toMatchObject({ record: 'AuFrame' });
  stop.abort();
  await events.return();
  expect(onPoison).not.toHaveBeenCalled();
  expect(answers).toEqual([]);
  await registry.stop();
});

describe('no event is skipped in silence', () => {
  test('by a new group on quiet partitions: it commits where it began', async () => {
    await createTopic('quiet', 4);
    expect(await readOnce('quiet', 0)).toEqual({ frames: [], resets: [] });
    expect(await committed('quiet')).toEqual(['0', '0', '0', '0']);
    await produce('quiet', 0, 100, 4);
    expect(await readOnce('quiet', 100)).toMatchObject({ frames: { length: 100 }, resets: [] });
  });

  test('by a new group in the middle of a topic: it begins at the end, and goes on from there', async () => {
    await createTopic('middle', 2);
    await produce('middle', 0, 10, 2);
    expect(await readOnce('middle', 0)).toEqual({ frames: [], resets: [] });
    expect(await committed('middle')).toEqual(['5', '5']);
    await produce('middle', 10, 14, 2);
    expect(await readOnce('middle', 4)).toEqual({ frames: [10, 11, 12, 13], resets: [] });
  });

  test('when partitions are added', async () => {
    await createTopic('grows', 1);
    await readOnce('grows', 0);
    await admin.createPartitions({ topicPartitions: [{ topic: 'grows', count: 3 }] });
    await produce('grows', 0, 276, 3);
    const { frames, resets } = await readOnce('grows', 276);
    expect(frames).toHaveLength(276);
    expect(resets).toEqual([
      { topic: 'grows', partition: 1, from: null, to: '0', why: 'partition_added' },
      { topic: 'grows', partition: 2, from: null, to: '0', why: 'partition_added' },
    ]);
    expect(await readOnce('grows', 0)).toEqual({ frames: [], resets: [] });
  });

  test('when retention has deleted the group’s offset', async () => {
    await createTopic('expired', 1);
    await produce('expired', 0, 10, 1);
    expect((await readOnce('expired', 10, { fromBeginning: true })).frames).toHaveLength(10);
    await produce('expired', 10, 40, 1);
    await admin.deleteTopicRecords({ topic: 'expired', partitions: [{ partition: 0, offset: '25' }] });
    expect(await readOnce('expired', 15)).toEqual({
      frames: Array.from({ length: 15 }, (_, index) => 25 + index),
      resets: [{ topic: 'expired', partition: 0, from: '10', to: '25', why: 'records_expired' }],
    });
  });

  for (const [isBusy, commit] of [
    [false, false],
    [false, true],
    [true, true],
  ])
    test(`when the topic is deleted and created again, ${isBusy ? 'busy' : 'idle'}, ${commit ? 'with' : 'without'} commits`, async () => {
      const topic = `again-${isBusy}-${commit}`;
      await createTopic(topic, 1);
      await produce(topic, 0, 10, 1);
      const stop = new AbortController();
      const [frames, resets]: [number[], OffsetReset[]] = [[], []];
      const onReset = (reset: OffsetReset) => void resets.push(reset);
      const goOn = Promise.withResolvers<void>();
      const following = (async () => {
        const places = { brokers: [broker.address], topics: [topic], groupId: topic, signal: stop.signal };
        for await (const { value } of consume({ ...places, fromBeginning: true, commit: commit!, onReset })) {
          frames.push((value as AuFrame).frame);
          if (isBusy && frames.length === 10) await goOn.promise;
        }
      })();
      await expect.poll(() => frames.length).toBe(10);
      await admin.deleteTopics({ topics: [topic] });
      await createTopic(topic, 1);
      await produce(topic, 100, 130, 1);
      if (isBusy) await sleep(2500);
      goOn.resolve();
      await expect.poll(() => frames.length, { timeout: 30_000 }).toBe(40);
      stop.abort();
      await following;
      expect(frames.slice(10)).toEqual(Array.from({ length: 30 }, (_, index) => 100 + index));
      const why = isBusy
        ? 'topic_recreated'
        : expect.stringMatching(/offset_lost|beyond_end|topic_recreated/);
      expect(resets).toEqual([
        { topic, partition: 0, from: isBusy ? '10' : expect.toBeOneOf(['10', null]), to: '0', why },
      ]);
    });
});

test('a tombstone is an event, and no dead letter', async () => {
  await createTopic('table', 1);
  const producer = kafka.producer();
  await producer.connect();
  const messages = [
    { key: 'lobby', value: null },
    { key: 'lobby/1', value: new RecordEncoder('AuFrame').encode(frameNumber(1)) },
  ];
  await producer.send({ topic: 'table', messages });
  await producer.disconnect();
  const events = consume({
    ...{ brokers: [broker.address], topics: ['table'], groupId: 'table', fromBeginning: true },
    onPoison: () => expect.unreachable('it is no dead letter'),
  });
  expect((await events.next()).value).toMatchObject({ record: 'Tombstone', key: 'lobby', value: null });
  expect((await events.next()).value).toMatchObject({ record: 'AuFrame', offset: '1' });
  const [partition] = events.stats().partitions;
  expect(partition).toEqual({ topic: 'table', partition: 0, next: '1', end: '2', lag: 1 });
  await events.return();
});

test('a broker is host:port, with an IPv6 address in brackets', () => {
  for (const broker of ['::1:9092', 'localhost', 'http://localhost:9092', '[::1]'])
    expect(() => consume({ brokers: [broker], topics: ['a'], groupId: 'a' })).toThrow('[::1]:9092');
});

describe('a consumer fails instead of retrying for ever', () => {
  test('when the registry rejects its credentials', async () => {
    await produceOne('registry', new RecordEncoder('AuFrame', confluentHeader(5)).encode(frameNumber(1)));
    const registry = createServer((_, response) => response.writeHead(401).end('{"message":"Unauthorized"}'));
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
    expect(await consumeError('registry', { registry: { url } })).toMatchObject({
      code: 'REGISTRY_REJECTED',
    });
    registry.close();
  });

  for (const error of [new Error('my database is full'), new TypeError('no such property')])
    test(`when onPoison throws a ${error.name}: with that error, after one call`, async () => {
      const topic = `poison-${error.name}`;
      await produceOne(topic, Buffer.from('junk'));
      const onPoison = vi.fn(() => {
        throw error;
      });
      expect(await consumeError(topic, { onPoison })).toBe(error);
      expect(onPoison).toHaveBeenCalledTimes(1);
    });

  test('when the dead-letter topic does not exist', async () => {
    await produceOne('letters', Buffer.from('junk'));
    expect(await consumeError('letters', { deadLetterTopic: 'no.such.deadletter' })).toMatchObject({
      code: 'KAFKA_REJECTED',
      message: expect.stringContaining('has no topic no.such.deadletter'),
    });
  });

  test('when kafkajs cannot decompress the messages', async () => {
    await publish('snappy.', 0, 1, { compression: 'snappy' });
    expect(await consumeError('snappy.frames')).toMatchObject({
      code: 'PREREQUISITE_MISSING',
      message: expect.stringContaining('Snappy'),
      fix: expect.stringContaining('kafka.compression'),
    });
  });

  test('when a topic does not exist: it creates none, even if the brokers would', async () => {
    expect(await consumeError('misspelt.frames')).toMatchObject({
      code: 'KAFKA_REJECTED',
      message: expect.stringContaining('has no topic misspelt.frames'),
    });
    const admin = kafka.admin();
    await admin.connect();
    const topics = await admin.listTopics();
    await admin.disconnect();
    expect(topics.filter((name) => /^(misspelt|no\.such)/.test(name))).toEqual([]);
  });
});

describe('a consumer', () => {
  for (const commit of [true, false])
    test(`continues at its position after an outage of the group coordinator, ${commit ? 'with' : 'without'} commit`, async () => {
      const prefix = commit ? 'commit.' : 'keep.';
      await publish(prefix, 0, 5);
      const stop = new AbortController();
      const read: number[] = [];
      const options = { topics: [`${prefix}frames`], groupId: prefix, commit, signal: stop.signal };
      const following = readFrames(read, options);
      await expect.poll(() => read.length).toBe(5);
      // The responses of brokers while the coordinator moves and its successor is not elected yet.
      vi.spyOn(Broker.prototype, 'heartbeat').mockRejectedValue(createErrorFromCode(NOT_COORDINATOR));
      const find = vi
        .spyOn(Broker.prototype, 'findGroupCoordinator')
        .mockRejectedValue(createErrorFromCode(COORDINATOR_NOT_AVAILABLE));
      // More attempts than kafkajs makes by itself.
      await expect.poll(() => find.mock.calls.length).toBeGreaterThan(10);
      vi.restoreAllMocks();
      await publish(prefix, 5, 8);
      await expect.poll(() => read).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      stop.abort();
      await following;
    });

  test('can be stopped at any moment of an outage, and then opens no further connections', async () => {
    await publish('zombie.', 0, 2);
    const consumers = Array.from({ length: 8 }, (_, index) => {
      const [stop, read]: [AbortController, number[]] = [new AbortController(), []];
      const options = { topics: ['zombie.frames'], groupId: `zombie${index}`, signal: stop.signal };
      return { stop, read, following: readFrames(read, options) };
    });
    await expect.poll(() => consumers.every(({ read }) => read.length === 2)).toBe(true);
    await broker.kill9();
    for (const { stop } of consumers) {
      await sleep(500);
      stop.abort();
    }
    await Promise.all(consumers.map(({ following }) => following));
    let last = Date.now();
    const server = createTcpServer((socket) => {
      last = Date.now();
      socket.destroy();
    });
    server.listen(Number(broker.address.split(':')[1]), '127.0.0.1');
    await expect.poll(() => Date.now() - last, { timeout: 20_000 }).toBeGreaterThan(3000);
    server.close();
  });
});
