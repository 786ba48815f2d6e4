import { type ChildProcess, spawn } from 'node:child_process';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CropBatcher } from '../../../src/cluster/ingest/crop-batcher.ts';
import { clusterTopicSpecs } from '../../../src/cluster/topics.ts';
import { faceKey } from '../../../src/domain/track-key.ts';
import { createMissingTopics, withAdmin } from '../../../src/kafka/admin.ts';
import { kafkaOptions } from '../../../src/kafka/options.ts';
import { RecordEncoder } from '../../../src/records/avro.ts';
import { type DecodedRecord, RecordDecoder } from '../../../src/records/decode.ts';
import { KafkaBroker } from '../../broker/kafka-broker.ts';
import { readTopic } from '../../broker/read-topic.ts';
import { faceCrop, frameOf } from '../../infer/faces.ts';
import { rawCrops } from '../crop-records.ts';
import { HOP, POISON } from './poison.ts';

const PREFIX = 'poison.';
const FRAMES = 30 * HOP;
const CAMERAS = ['a', 'b', 'c'];
/** Its record kills every worker that decodes it. */
const POISONED = { camera: 'b', frame: 12 * HOP };

/** Records that stop no worker. The dead letter of the first would be larger than the brokers accept with its key. */
const HOSTILE = [
  { key: Buffer.alloc(600_000, 'k'), value: 'garbage' },
  { key: null, value: null },
  { key: 'b/1', value: Buffer.alloc(900_000) },
  { key: 'b/1', value: 'garbage', headers: { h: Buffer.alloc(500_000) } },
  { key: 'b/7', value: new RecordEncoder('FaceCropBatch').encode(rawCrops()) },
];

let broker: KafkaBroker;
beforeAll(async () => {
  broker = await KafkaBroker.start();
}, 180_000);
afterAll(() => broker?.stop());

interface Line {
  readonly died?: string;
  readonly lost?: { readonly cause: string; readonly count: number };
  readonly failed?: string;
}

/** Two workers; one that dies is replaced, as a platform would. */
class Workers {
  readonly lines: Line[] = [];
  readonly #running = new Set<ChildProcess>();
  #open = true;
  stderr = '';

  start(): void {
    const worker = spawn(process.execPath, ['test/cluster/infer/poison-worker.ts', broker.address, PREFIX], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#running.add(worker);
    let text = '';
    worker.stdout.on('data', (chunk) => {
      text += chunk;
      const complete = text.split('\n');
      text = complete.pop()!;
      this.lines.push(...complete.map((line) => JSON.parse(line)));
    });
    worker.stderr.on('data', (chunk) => {
      this.stderr += chunk;
    });
    worker.on('exit', () => {
      this.#running.delete(worker);
      if (this.#open) this.start();
    });
  }

  async stop(): Promise<void> {
    this.#open = false;
    const running = [...this.#running];
    const exited = running.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    for (const worker of running) worker.kill('SIGTERM');
    await Promise.all(exited);
  }
}

function cropRecords(camera: string): { key: string; value: Buffer }[] {
  const encoder = new RecordEncoder('FaceCropBatch');
  const batcher = new CropBatcher({ hop: HOP, gapSeconds: 1 });
  const frames = Array.from({ length: FRAMES }, (_, frame) => {
    const crop = faceCrop({ cameraId: camera, frame });
    if (camera === POISONED.camera && frame === POISONED.frame) crop.pixels.set(POISON);
    return frameOf([crop]);
  });
  const batches = [...frames.flatMap((frame) => batcher.push(frame, 0)), ...batcher.endEpoch(camera)];
  return batches.map((batch) => ({ key: faceKey(batch), value: encoder.encode(batch) }));
}

async function read(topic: string): Promise<DecodedRecord[]> {
  const decoder = new RecordDecoder();
  const messages = await readTopic([broker.address], `${PREFIX}${topic}`);
  return Promise.all(messages.map(({ value }) => decoder.decode(value)));
}

it('a record that kills every worker is set aside after two deaths on it; every other event exists once', async () => {
  const kafka = kafkaOptions.parse({
    brokers: [broker.address],
    topicPrefix: PREFIX,
    topics: { partitions: 2 },
  });
  await withAdmin(kafka, (admin) => createMissingTopics(admin, clusterTopicSpecs(kafka)));
  const producer = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  // One by one: together they are larger than a request may be.
  for (const camera of CAMERAS)
    for (const message of cropRecords(camera))
      await producer.send({ topic: `${PREFIX}crops`, messages: [message] });

  for (const message of HOSTILE)
    await producer.send({ topic: `${PREFIX}crops`, messages: [{ ...message, partition: 0 }] });

  const workers = new Workers();
  workers.start();
  workers.start();
  const expected = CAMERAS.length * FRAMES - HOP;
  try {
    await expect
      .poll(async () => (await read('frames')).length, { timeout: 240_000, interval: 2_000 })
      .toBeGreaterThanOrEqual(expected);
    // The partition goes on after it.
    await producer.send({
      topic: `${PREFIX}crops`,
      messages: cropRecords('b').map(({ value }) => ({ key: 'b/1', value: value.subarray(0, 40) })),
    });
    await expect
      .poll(async () => (await read('deadletter')).length, { timeout: 60_000, interval: 1_000 })
      .toBeGreaterThan(1 + HOSTILE.length);
  } finally {
    await producer.disconnect();
    await workers.stop();
  }

  const died = workers.lines.flatMap(({ died }) => died ?? []);
  expect(new Set(died)).toEqual(new Set([`b/1/${POISONED.frame}`]));
  // The first death does not say on which record; the second and the third do.
  expect(died.length, workers.stderr).toBeLessThanOrEqual(4);
  expect(workers.lines.filter(({ failed }) => failed)).toEqual([]);

  const frames = (await read('frames')).map(({ value }) => (value as { eventId: string }).eventId);
  const ids = CAMERAS.flatMap((camera) =>
    Array.from({ length: FRAMES }, (_, frame) => ({ camera, frame })).filter(
      ({ camera, frame }) =>
        camera !== POISONED.camera || frame < POISONED.frame || frame >= POISONED.frame + HOP,
    ),
  ).map(({ camera, frame }) => `${camera}/0/1/${frame}`);
  expect(frames.toSorted()).toEqual(ids.toSorted());

  const letters = (await read('deadletter')).map(({ value }) => value as { reason: string });
  expect(letters.filter(({ reason }) => reason === 'worker_died')).toEqual([
    expect.objectContaining({
      topic: `${PREFIX}crops`,
      key: Buffer.from('b/1'),
      value: null,
      detail: expect.stringContaining('died'),
    }),
  ]);
  expect(letters.filter(({ reason }) => reason !== 'worker_died').length).toBeGreaterThan(HOSTILE.length);
  const setAside = workers.lines.flatMap(({ lost }) => (lost?.cause === 'crop_set_aside' ? lost.count : []));
  expect(setAside).toEqual([1]);
}, 400_000);
