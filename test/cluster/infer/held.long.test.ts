// What a real broker refuses an inference worker: held and told, or in the dead letters; nothing is lost in silence.
import { type Admin, ConfigResourceTypes, Kafka, logLevel, type Producer } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type InferWorker, openInferWorker } from '../../../src/app/infer-worker.ts';
import { CropBatcher } from '../../../src/cluster/ingest/crop-batcher.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { diagnostics } from '../../../src/diagnostics.ts';
import type { AuFrame } from '../../../src/domain/event.ts';
import { faceKey } from '../../../src/domain/track-key.ts';
import { RecordEncoder } from '../../../src/records/avro.ts';
import { KafkaBroker } from '../../broker/kafka-broker.ts';
import { readTopic } from '../../broker/read-topic.ts';
import { faceCrop, frameOf } from '../../infer/faces.ts';

const WAIT = { timeout: 90_000, interval: 200 };
const HOP = 16;

let broker: KafkaBroker;
let admin: Admin;
let producer: Producer;
let worker: InferWorker | null = null;
let tests = 0;
let prefix: string;
let committed: AuFrame[];
let lost: Record<string, number>;
/** The next frame to send. */
let next: number;
let batcher: CropBatcher;
const unsubscribe = diagnostics.lost.subscribe(({ cause, count }) => {
  lost[cause] = (lost[cause] ?? 0) + count;
});

async function connect(): Promise<void> {
  const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
  admin = kafka.admin();
  producer = kafka.producer();
  await Promise.all([admin.connect(), producer.connect()]);
}
const disconnect = () => Promise.all([admin?.disconnect(), producer?.disconnect()]);

beforeAll(async () => {
  broker = await KafkaBroker.start();
  await connect();
}, 240_000);
afterAll(async () => {
  unsubscribe();
  await disconnect();
  await broker?.stop();
});
beforeEach(async () => {
  tests += 1;
  prefix = `h${tests}.`;
  committed = [];
  lost = {};
  next = 0;
  batcher = new CropBatcher({ hop: HOP, gapSeconds: 1 });
  worker = await openInferWorker(
    configSchema.parse({
      kafka: { brokers: [broker.address], topicPrefix: prefix, topics: { partitions: 1 } },
      cluster: { sessionSeconds: 6 },
      infer: { threads: 1, hop: HOP },
    }),
    { frames: (frames) => void committed.push(...frames) },
  );
  worker.done.catch(() => {});
  await expect.poll(() => worker!.missing(), WAIT).toEqual([]);
  await sendHop();
  await expect.poll(() => committed.length, WAIT).toBe(HOP);
}, 120_000);
afterEach(async () => {
  await worker?.stop();
  worker = null;
});

/** Crops of one more hop of the one track. */
async function sendHop(): Promise<void> {
  const encoder = new RecordEncoder('FaceCropBatch');
  const frames = Array.from({ length: HOP }, () => frameOf([faceCrop({ frame: next++ })]));
  const messages = frames
    .flatMap((frame) => batcher.push(frame, 0))
    .map((batch) => ({ key: faceKey(batch), value: Buffer.from(encoder.encode(batch)) }));
  await producer.send({ topic: `${prefix}crops`, messages });
}

/** Sets these settings of a topic, and no others. */
async function set(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: prefix + topic, configEntries }],
  });
}

const allHeld = () => worker!.stats().publisher.topics?.filter((each) => each.held) ?? [];
const published = async (topic: string) => (await readTopic([broker.address], prefix + topic)).length;
const frameNumbers = () => committed.map(({ frame }) => frame);
const upTo = (count: number) => Array.from({ length: count }, (_, frame) => frame);

test('topics that were deleted are made again; events wait for them', async () => {
  await admin.deleteTopics({ topics: [`${prefix}frames`, `${prefix}activations`] });
  await sendHop();
  await expect.poll(() => allHeld().length, WAIT).toBeGreaterThan(0);
  await expect.poll(frameNumbers, WAIT).toEqual(upTo(2 * HOP));
  expect(await published('frames')).toBe(HOP);
  expect({ lost, held: allHeld() }).toEqual({ lost: {}, held: [] });
}, 240_000);

test('events that are too large together are published in smaller batches', async () => {
  await set('frames', { 'max.message.bytes': '1500' });
  await sendHop();
  await expect.poll(frameNumbers, WAIT).toEqual(upTo(2 * HOP));
  expect(await published('frames')).toBe(2 * HOP);
  expect(lost).toEqual({});
}, 240_000);

test('events that are too large alone go to the dead letters, are told, and stop nothing', async () => {
  await set('frames', { 'max.message.bytes': '200' });
  await sendHop();
  await expect.poll(() => lost, WAIT).toEqual({ record_too_large: HOP });
  expect(await published('deadletter')).toBe(HOP);
  await set('frames', {});
  await sendHop();
  await expect.poll(frameNumbers, WAIT).toEqual([...upTo(HOP), ...upTo(3 * HOP).slice(2 * HOP)]);
}, 240_000);

test('a coordinator that is away loses nothing and repeats nothing', async () => {
  await sendHop();
  await disconnect();
  await broker.kill9();
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  await broker.restart();
  await connect();
  await sendHop();
  await expect.poll(frameNumbers, WAIT).toEqual(upTo(3 * HOP));
  expect(await published('frames')).toBe(3 * HOP);
  expect(lost).toEqual({});
}, 240_000);

test('the state of the tracks is written again when its topic was deleted', async () => {
  await admin.deleteTopics({ topics: [`${prefix}infer-state`] });
  await sendHop();
  await expect.poll(frameNumbers, WAIT).toEqual(upTo(2 * HOP));
  await sendHop();
  await expect.poll(frameNumbers, WAIT).toEqual(upTo(3 * HOP));
  expect(await published('infer-state')).toBeGreaterThan(0);
  expect(lost).toEqual({});
}, 240_000);

test('crops whose topic was made anew are read from its beginning, and that is told', async () => {
  await admin.deleteTopics({ topics: [`${prefix}crops`] });
  const topics = () => admin.listTopics();
  await expect.poll(topics, WAIT).not.toContain(`${prefix}crops`);
  await expect.poll(topics, WAIT).toContain(`${prefix}crops`);
  await sendHop();
  await expect.poll(frameNumbers, WAIT).toEqual(upTo(2 * HOP));
  expect(lost).toEqual({ crop_topic_reset: 1 });
}, 240_000);
