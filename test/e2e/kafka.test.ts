import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineCamera } from '../../src/cluster/ingest/camera-definition.ts';
import { writeCameras } from '../../src/cluster/ingest/camera-topic.ts';
import { clusterTopics } from '../../src/cluster/topics.ts';
import {
  type ConsumedEvent,
  type ConsumeOptions,
  consume,
  type PoisonMessage,
} from '../../src/consume/index.ts';
import type { AuFrame } from '../../src/domain/event.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher, type Publisher } from '../../src/publish/publisher.ts';
import { RecordEncoder } from '../../src/records/avro.ts';
import { RecordDecoder } from '../../src/records/decode.ts';
import { confluentHeader, SchemaRegistry } from '../../src/records/schema-registry.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { python } from '../broker/python.ts';
import { readTopic } from '../broker/read-topic.ts';
import { TestRegistry } from '../broker/test-registry.ts';
import { anyActivation, anyFrame, anyStatus, delivered, frameNumber } from '../records/samples.ts';
import { ScriptedRegistry } from '../records/scripted-registry.ts';
import { Austream } from './austream.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const observer = { acknowledged: () => {}, dropped: () => expect.unreachable('nothing may be lost') };

let broker: KafkaBroker;
let registry: TestRegistry;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'austream-e2e-'));
  broker = await KafkaBroker.start();
  registry = await TestRegistry.start();
  await python();
}, 600_000);
afterAll(async () => {
  await broker?.stop();
  await registry?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const options = (topicPrefix: string, rest: object = {}) =>
  kafkaOptions.parse({ brokers: [broker.address], topicPrefix, topics: { partitions: 3 }, ...rest });

async function publish(frames: readonly AuFrame[], topicPrefix: string): Promise<void> {
  const publisher = await openPublisher(options(topicPrefix), observer);
  publisher.frames(frames);
  await publisher.flush(30_000);
  await publisher.close();
}

/** The first `count` events. */
async function read(
  count: number,
  rest: Partial<ConsumeOptions> & Pick<ConsumeOptions, 'topics' | 'groupId'>,
) {
  const events: ConsumedEvent[] = [];
  const stop = new AbortController();
  const consuming = consume({
    brokers: [broker.address],
    fromBeginning: true,
    ...rest,
    signal: stop.signal,
  });
  for await (const event of consuming) {
    events.push(event);
    if (events.length === count) stop.abort();
  }
  return events;
}

/** The messages of a topic, read by kcat and decoded by fastavro. */
async function kcatAndFastavro(topic: string, schema: string): Promise<object[]> {
  const { stdout } = await run(
    'bash',
    [
      ...[
        '-c',
        'set -o pipefail; kcat -q -C -e -b "$1" -t "$2" -o beginning -f "%R%s" | "$3" "$4" "$5" "$6"',
        '-',
      ],
      ...[
        broker.address,
        topic,
        await python(),
        join(ROOT, 'test/broker/read_avro.py'),
        join(ROOT, schema),
        registry.url,
      ],
    ],
    { maxBuffer: 1 << 28 },
  );
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const toSortedJson = (events: readonly object[]) =>
  events.map((event) => JSON.stringify(sorted(event))).sort();
const sorted = (value: unknown): unknown =>
  value !== null && typeof value === 'object'
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, item]) => [key, sorted(item)]),
      )
    : value;

describe('a publisher at a real broker', () => {
  for (const encoding of ['single-object encoding', 'Confluent wire format'])
    test(`in ${encoding} publishes 1,000 random events that kcat and fastavro read`, async () => {
      const prefix = encoding.startsWith('single') ? 'single.' : 'confluent.';
      const kafka = options(prefix, prefix === 'confluent.' ? { registry: { url: registry.url } } : {});
      const frames = fc.sample(anyFrame, 600);
      const activations = fc.sample(anyActivation, 200);
      const statuses = fc.sample(anyStatus, 200);
      const acknowledged: object[] = [];
      const publisher = await openPublisher(kafka, {
        ...observer,
        acknowledged: (frame) => acknowledged.push(frame),
      });
      expect(publisher.brokers).toBe(broker.address);
      publisher.frames(frames);
      publisher.activations(activations);
      for (const status of statuses) publisher.status(status);
      await publisher.flush(30_000);
      expect(publisher.stats()).toMatchObject({
        connected: true,
        pending: 0,
        acknowledged: 1000,
        dropped: 0,
      });
      await publisher.close();
      expect(acknowledged).toHaveLength(600);
      const expected: [string, string, object[]][] = [
        ['frames', 'AuFrame', frames.map(delivered)],
        ['activations', 'AuActivation', activations],
        ['cameras', 'CameraStatus', statuses],
      ];
      for (const [topic, record, written] of expected)
        expect(toSortedJson(await kcatAndFastavro(`${prefix}${topic}`, `schemas/${record}.avsc`))).toEqual(
          toSortedJson(written),
        );
      const events = await read(600, {
        topics: [`${prefix}frames`],
        groupId: `reader-${prefix}`,
        registry: { url: registry.url },
      });
      expect(toSortedJson(events.map(({ value }) => value!))).toEqual(toSortedJson(frames.map(delivered)));
    }, 60_000);

  test('creates topics as configured; the cameras topic is compacted', async () => {
    await (
      await openPublisher(options('made.', { topics: { partitions: 2, retentionHours: 1 } }), observer)
    ).close();
    const config = join(dir, 'made.yaml');
    const kafka = `brokers: ["${broker.address}"], topicPrefix: made.`;
    writeFileSync(config, `kafka: {${kafka}, topics: {partitions: 2, retentionHours: 1}}`);
    const topics = async (...args: string[]) =>
      (await run(join(ROOT, 'bin/austream'), ['topics', ...args, '-c', config])).stdout;
    const states = JSON.parse(await topics('describe', '--json'));
    expect(
      states.map(({ topic, partitions, config, differs }: never) => [
        topic,
        partitions,
        config['cleanup.policy'],
        differs,
      ]),
    ).toEqual([
      ['made.frames', 2, 'delete', []],
      ['made.activations', 2, 'delete', []],
      ['made.cameras', 2, 'compact', []],
      ['made.deadletter', 1, 'delete', []],
    ]);
    expect(states[0].config['retention.ms']).toBe('3600000');
    expect(await topics('create')).toMatch(/^made.frames: up to date$/m);

    writeFileSync(config, `kafka: {${kafka}, topics: {partitions: 4, retentionHours: 2}}`);
    expect(await topics('describe')).toMatch(/partitions is 2, the config says 4/);
    expect(await topics('create')).toMatch(
      /^made.frames: partitions 2 → 4, retention.ms 3600000 → 7200000$/m,
    );
    expect(await topics('create')).toMatch(/^made.frames: up to date$/m);
    expect(await topics('create', '--crops')).toMatch(/^made.crops: created$/m);

    writeFileSync(config, `kafka: {${kafka}, topics: {partitions: 3}}`);
    await expect(topics('create')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('made.frames has 4 partitions and cannot shrink to 3'),
    });
  }, 60_000);

  test('keeps a record that is too large for its topic as a dead letter, reports it, and continues', async () => {
    const lost: unknown[] = [];
    const publisher = await openPublisher(options('large.'), {
      acknowledged: () => {},
      dropped: (...loss) => lost.push(loss),
    });
    const status = { ...fc.sample(anyStatus, 1)[0]!, cameraId: 'door' };
    const others = Array.from({ length: 50 }, (_, index) => ({ ...status, cause: `status ${index}` }));
    for (const other of others.slice(0, 25)) publisher.status(other);
    // Random, so that it does not compress below the limit of 1 MiB.
    publisher.status({ ...status, detail: randomBytes(1_100_000).toString('base64') });
    for (const other of others.slice(25)) publisher.status(other);
    await publisher.flush(60_000);
    await expect.poll(() => publisher.stats().acknowledged, { timeout: 30_000 }).toBe(51);
    expect(lost).toEqual([['door', 1, 'record_too_large']]);
    await publisher.close();
    const decoder = new RecordDecoder();
    const causes: string[] = [];
    for (const { value } of await readTopic([broker.address], 'large.cameras')) {
      const event = await decoder.decode(value);
      if (event.record === 'CameraStatus') causes.push(event.value.cause);
    }
    expect([...new Set(causes)]).toEqual(others.map(({ cause }) => cause));
    const [letter] = await readTopic([broker.address], 'large.deadletter');
    expect((await decoder.decode(letter!.value)).value).toMatchObject({
      topic: 'large.cameras',
      detail: expect.stringContaining('max.message.bytes of large.cameras'),
    });
  }, 90_000);

  describe('with a spool, while the schema registry is away', () => {
    const COUNT = 200;
    const HEADER = confluentHeader(1).toString('hex');
    let url: string;
    let away: ScriptedRegistry | null;
    const start = async () => (away = await ScriptedRegistry.start(Number(new URL(url).port)));
    beforeAll(async () => {
      const first = await ScriptedRegistry.start();
      url = first.url;
      await first.stop();
    });
    afterAll(() => away?.stop());

    const open = (topicPrefix: string) =>
      openPublisher(
        options(topicPrefix, {
          registry: { url, timeoutSeconds: 1 },
          spool: { dir: join(dir, topicPrefix) },
        }),
        observer,
      );
    const publishFrames = (publisher: Publisher, from: number) =>
      publisher.frames(Array.from({ length: COUNT }, (_, index) => frameNumber(from + index)));

    test('starts; events wait in the spool across a restart, then arrive in order in the wire format', async () => {
      const killed = await open('late.');
      publishFrames(killed, 0);
      await expect.poll(() => killed.stats().spooling).toBe(true);
      expect(killed.stats()).toMatchObject({ connected: false, pending: COUNT, dropped: 0 });
      await killed.close();
      const publisher = await open('late.');
      publishFrames(publisher, COUNT);
      expect(publisher.stats()).toMatchObject({ pending: 2 * COUNT, dropped: 0 });
      await start();
      await publisher.flush(30_000);
      expect(publisher.stats()).toMatchObject({ connected: true, acknowledged: 2 * COUNT, dropped: 0 });
      await publisher.close();
      const messages = await readTopic([broker.address], 'late.frames');
      expect(new Set(messages.map(({ value }) => value!.toString('hex', 0, 5)))).toEqual(new Set([HEADER]));
      const decoder = new RecordDecoder(new SchemaRegistry({ url, timeoutSeconds: 5 }));
      const decoded = await Promise.all(messages.map(({ value }) => decoder.decode(value)));
      expect(decoded.map(({ value }) => value)).toEqual(
        Array.from({ length: 2 * COUNT }, (_, index) => delivered(frameNumber(index))),
      );
    }, 60_000);

    test.each([
      ['no rights', { status: 403, body: { message: 'Forbidden' } }],
      ['an overload', { status: 429, headers: { 'retry-after': '60' } }],
      ['a registry that is read-only', { status: 422, body: { error_code: 42205, message: 'read-only' } }],
    ])(
      'starts with remembered ids and delivers despite %s',
      async (_, answer) => {
        away!.script = () => answer;
        const publisher = await open('late.');
        publishFrames(publisher, 1_000);
        await publisher.flush(30_000);
        expect(publisher.stats()).toMatchObject({ connected: true, acknowledged: COUNT, dropped: 0 });
        await publisher.close();
      },
      60_000,
    );
  });

  test('fails with KAFKA_UNREACHABLE if no broker answers', async () => {
    const kafka = kafkaOptions.parse({ brokers: ['127.0.0.1:1'], connectSeconds: 1 });
    await expect(openPublisher(kafka, observer)).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      message: expect.stringContaining('Kafka at 127.0.0.1:1 does not answer'),
    });
  });
});

describe('a consumer', () => {
  const frames = Array.from({ length: 300 }, (_, index) =>
    frameNumber(index >> 2, { trackId: 1 + (index & 3) }),
  );

  beforeAll(() => publish(frames, 'consumer.'));

  test('reads every event in order per key, with its position', async () => {
    const events = await read(300, { topics: ['consumer.frames'], groupId: 'order' });
    for (const trackId of [1, 2, 3, 4]) {
      const track = events.flatMap((event) =>
        event.record === 'AuFrame' && event.value.trackId === trackId ? [event.value.frame] : [],
      );
      expect(track).toEqual(Array.from({ length: 75 }, (_, index) => index));
    }
    expect(events[0]).toMatchObject({
      topic: 'consumer.frames',
      key: expect.stringMatching(/^lobby\/[1-4]$/),
    });
  });

  test('continues at the group’s offsets: an event whose body did not complete comes again', async () => {
    const group = {
      brokers: [broker.address],
      topics: ['consumer.frames'],
      groupId: 'resume',
      fromBeginning: true,
    };
    const first: string[] = [];
    for await (const event of consume(group)) {
      if (first.length === 120) break;
      first.push(`${event.partition}@${event.offset}`);
    }
    const body = async () => {
      for await (const _ of consume(group)) throw new Error('the body failed');
    };
    await expect(body()).rejects.toThrow('the body failed');
    const rest = await read(180, { topics: group.topics, groupId: 'resume' });
    const places = [...first, ...rest.map((event) => `${event.partition}@${event.offset}`)];
    expect(new Set(places).size).toBe(300);
  }, 60_000);

  test('drops redeliveries with `dedupe`', async () => {
    await publish(frames.slice(0, 50), 'twice.');
    await publish(frames.slice(0, 60), 'twice.');
    const all = await read(110, { topics: ['twice.frames'], groupId: 'all' });
    expect(all).toHaveLength(110);
    const events = await read(60, { topics: ['twice.frames'], groupId: 'once', dedupe: true });
    expect(new Set(events.map(({ value }) => value && 'eventId' in value && value.eventId)).size).toBe(60);
  });

  test('ends when its signal aborts, and fails with KAFKA_UNREACHABLE if no broker answers at the start', async () => {
    expect(await read(1, { topics: ['consumer.frames'], groupId: 'one' })).toHaveLength(1);
    const events = consume({ brokers: ['127.0.0.1:1'], topics: ['consumer.frames'], groupId: 'nobody' });
    await expect(events.next()).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  }, 60_000);

  test('fails with KAFKA_REJECTED and the topic’s name if the topic does not exist', async () => {
    const events = consume({ brokers: [broker.address], topics: ['no.such.topic'], groupId: 'nothing' });
    await expect(events.next()).rejects.toMatchObject({
      code: 'KAFKA_REJECTED',
      message: expect.stringContaining('no.such.topic'),
    });
  }, 60_000);
});

test('a consumer turns each of 100,000 mutated messages into an event or a dead letter', async () => {
  await publish([frameNumber(0)], 'fuzz.');
  const encoder = new RecordEncoder('AuFrame');
  const statuses = new RecordEncoder('CameraStatus');
  const samples = [
    ...fc.sample(anyFrame, 50).map((frame) => encoder.encode(frame)),
    ...fc.sample(anyStatus, 50).map((status) => statuses.encode(status)),
  ];
  const mutated = (round: number): Buffer => {
    const message = Buffer.from(samples[round % samples.length]!);
    const at = Math.imul(round, 2654435761) >>> 0;
    if (round % 7 === 0) return message.subarray(0, at % message.length);
    message[at % message.length]! ^= 1 + (at % 255);
    return message;
  };
  const producer = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  for (let round = 0; round < 100_000; round += 5000)
    await producer.send({
      topic: 'fuzz.frames',
      messages: Array.from({ length: 5000 }, (_, index) => ({
        key: `k${index % 9}`,
        value: mutated(round + index),
      })),
    });
  // A valid message marks the end of each partition. It is identified by its offset, because mutated messages can have any
  // content.
  const ends = new Set<string>();
  for (const partition of [0, 1, 2])
    for (const { baseOffset } of await producer.send({
      topic: 'fuzz.frames',
      messages: [{ partition, value: encoder.encode(frameNumber(1)) }],
    }))
      ends.add(`${partition}@${baseOffset}`);
  await producer.disconnect();

  const events: ConsumedEvent[] = [];
  for await (const event of consume({
    ...{ brokers: [broker.address], topics: ['fuzz.frames'], groupId: 'fuzz', fromBeginning: true },
    deadLetterTopic: 'fuzz.deadletter',
  })) {
    events.push(event);
    ends.delete(`${event.partition}@${event.offset}`);
    if (ends.size === 0) break;
  }
  const letters = 100_000 + 1 + 3 - events.length;
  expect(letters).toBeGreaterThan(1000);
  let corrupt = 0;
  const poison: PoisonMessage[] = [];
  const dead = await read(letters, {
    topics: ['fuzz.deadletter'],
    groupId: 'dead-letters',
    onPoison: (message) => void poison.push(message),
  });
  for (const { record, value } of dead) {
    expect(record).toBe('DeadLetter');
    if (record === 'DeadLetter' && value.reason === 'corrupt') corrupt += 1;
  }
  expect(poison).toEqual([]);
  expect(corrupt).toBeGreaterThan(1000);
}, 600_000);

test('cameras of a cluster are backed up and restored', async () => {
  const target = ['--brokers', broker.address, '--prefix', 'backup.', '--json'];
  const cameras = async (...args: string[]) =>
    JSON.parse((await run(join(ROOT, 'bin/austream'), ['cameras', ...args, ...target])).stdout);
  await cameras('add', 'door', '--url', 'rtsp://192.0.2.1/', '--password', '${DOOR}');
  await cameras('add', 'hall', '--url', 'rtsp://192.0.2.2/', '--fps', '5');
  const listed = await cameras('list');
  expect(listed).toMatchObject([
    { id: 'door', password: '${DOOR}' },
    { id: 'hall', analysisFps: 5 },
  ]);
  const file = join(dir, 'cameras.json');
  writeFileSync(file, JSON.stringify(listed));
  await cameras('remove', 'door', 'hall');
  expect(await cameras('list')).toEqual([]);
  await cameras('add', '--from', file);
  expect(await cameras('list')).toEqual(listed);

  writeFileSync(file, '{}');
  await expect(cameras('add', '--from', file)).rejects.toThrow(/has no cameras/);

  const nowhere = options('nowhere.', { topics: { create: false } });
  const door = defineCamera({ id: 'door', url: 'rtsp://192.0.2.1/' });
  await expect(writeCameras(nowhere, new Map([['door', door]]))).rejects.toMatchObject({
    code: 'KAFKA_REJECTED',
    message: expect.stringContaining(`has no topic ${clusterTopics('nowhere.').cameraConfig}`),
  });
}, 180_000);

test('austream tail prints events as text and as JSON lines', async () => {
  await publish(
    Array.from({ length: 30 }, (_, index) => frameNumber(index)),
    'tail.',
  );
  const args = ['tail', '--brokers', broker.address, '--topic-prefix', 'tail.', '--from-beginning'];
  await using json = new Austream([...args, '--json']);
  await using text = new Austream(args);
  await json.untilLine(() => json.lines.length === 30);
  // The text output prints a line per face at intervals.
  await expect.poll(() => text.stdout, { timeout: 150_000 }).toContain('warming up');
  for (const shown of [json, text]) {
    shown.signal('SIGINT');
    expect(await shown.exited).toBe(130);
  }
  expect(json.lines).toEqual(
    Array.from({ length: 30 }, (_, index) => ({ type: 'frame', ...delivered(frameNumber(index)) })),
  );
  expect(text.stdout).toMatch(
    /^22:13:20\.\d{3} lobby\/1 +01. 02. 04. 06. 07. 10. 12. 15. 23. 24. 25. 26. warming up$/m,
  );
  expect(json.stderr + text.stderr).toBe('');
}, 180_000);

describe('the examples', () => {
  beforeAll(() =>
    publish(
      Array.from({ length: 20 }, (_, index) => frameNumber(index)),
      'au.',
    ),
  );
  const active = 'lobby/1 au02 au04 au07 au10 au15 au23 au25 au26';

  test('in TypeScript prints the active Action Units', async () => {
    const script = join(ROOT, 'examples/typescript/consumer.ts');
    const child = execFile(process.execPath, [script, broker.address]);
    let text = '';
    child.stdout!.on('data', (chunk) => {
      text += chunk;
      if (text.split('\n').length > 20) child.kill('SIGINT');
    });
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
    expect(text.split('\n')[0]).toBe(active);
  }, 60_000);

  test('in Python prints the same', async () => {
    const { stdout } = await run(await python(), [
      ...[join(ROOT, 'examples/python/consumer.py'), '--brokers', broker.address],
      ...['--schema', join(ROOT, 'schemas/AuFrame.avsc'), '--count', '20'],
    ]);
    expect(stdout.trim().split('\n')).toHaveLength(20);
    expect(stdout.split('\n')[0]).toBe(active);
  }, 60_000);
});
