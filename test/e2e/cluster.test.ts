import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineCamera } from '../../src/cluster/ingest/camera-definition.ts';
import { writeCameras } from '../../src/cluster/ingest/camera-topic.ts';
import { consume } from '../../src/consume/index.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { Austream, DEMO_CLIP, Scratch } from './austream.ts';
import {
  activationDifference,
  comparableActivations,
  compareFrames,
  EventCollector,
  NO_DIFFERENCES,
  readAll,
} from './cluster-events.ts';
import { WorkerProcesses } from './cluster-workers.ts';

const CLIP = { url: `file://${DEMO_CLIP}`, analysisFps: 15 };

let broker: KafkaBroker;
/** The events that one process, `austream run`, publishes for the clip. */
let reference: Pick<EventCollector, 'frames' | 'activations'>;

beforeAll(async () => {
  broker = await KafkaBroker.start();
  using scratch = new Scratch();
  const kafka = { brokers: [broker.address], topicPrefix: 'alone.' };
  const config = scratch.file('run.yaml', { cameras: [{ id: 'alone', ...CLIP }], kafka });
  await using run = new Austream(['run', '-c', config, '--json']);
  expect(await run.exited, run.stderr).toBe(0);
  await using published = new EventCollector(broker.address, 'alone.');
  expect(await published.waitForFrames(run.linesOfType('frame').length, 30_000)).toBe(true);
  reference = published;
  // Longer than one window of 256 frames.
  expect(reference.frames.length).toBeGreaterThan(280);
  expect(reference.activations.length).toBeGreaterThan(10);
}, 120_000);
afterAll(() => broker.stop());

/** The config that the workers of one test share. */
function workerConfig(prefix: string, partitions = 4) {
  return {
    kafka: { brokers: [broker.address], topicPrefix: prefix, topics: { partitions } },
    cluster: { group: prefix, cameras: 'topic', sources: { paths: [DEMO_CLIP] }, sessionSeconds: 6 },
    infer: { threads: 1 },
  };
}

/** Writes file cameras to the camera topic. */
async function addCameras(prefix: string, ids: readonly string[]): Promise<void> {
  const kafka = kafkaOptions.parse(workerConfig(prefix).kafka);
  await writeCameras(kafka, new Map(ids.map((id) => [id, defineCamera({ id, ...CLIP })])));
}

/** Every camera has exactly the events of the reference. */
async function expectReferenceEvents(prefix: string, cameras: readonly string[]): Promise<void> {
  const all = await readAll(broker.address, prefix);
  for (const id of cameras) {
    const frames = all.frames.filter(({ cameraId }) => cameraId === id);
    const { difference, ...differences } = compareFrames(reference.frames, frames);
    expect(differences, id).toEqual(NO_DIFFERENCES);
    expect(difference, id).toBeLessThan(1e-5);
    const activations = all.activations.filter(({ cameraId }) => cameraId === id);
    expect(comparableActivations(activations), id).toEqual(comparableActivations(reference.activations));
    expect(activationDifference(reference.activations, activations), id).toBeLessThan(1e-5);
  }
}

describe('ingest and infer workers', () => {
  it('divide cameras and partitions, and publish what one process publishes', async () => {
    using scratch = new Scratch();
    await using workers = new WorkerProcesses(scratch, workerConfig('even.'));
    await Promise.all([workers.start('infer'), workers.start('infer'), workers.start('ingest')]);
    await workers.start('ingest');
    const producer = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    await producer.send({ topic: 'even.crops', messages: [{ key: 'a/1', value: 'not a crop record' }] });
    await producer.disconnect();
    await addCameras('even.', ['a', 'b']);
    await using published = new EventCollector(broker.address, 'even.');
    expect(await published.waitForFrames(2 * reference.frames.length, 120_000)).toBe(true);
    await expectReferenceEvents('even.', ['a', 'b']);
    // The undecodable record has a dead letter without its value, which could hold pictures.
    const from = { brokers: [broker.address], topics: ['even.deadletter'], groupId: 'dead-letters' };
    const letters = consume({ ...from, fromBeginning: true });
    const { value: letter } = await letters.next();
    await letters.return();
    expect(letter).toMatchObject({ key: 'a/1', value: { reason: 'unknown_format', value: null } });
    const exitCodes = await Promise.all(workers.running('infer').map((worker) => workers.stop(worker)));
    expect(exitCodes).toEqual([0, 0]);
  }, 240_000);

  it('lose nothing and publish nothing twice when workers and the broker are killed', async () => {
    using scratch = new Scratch();
    await using workers = new WorkerProcesses(scratch, workerConfig('hard.'));
    await Promise.all([
      workers.start('infer'),
      workers.start('infer'),
      workers.start('ingest'),
      workers.start('ingest'),
    ]);
    const cameras = ['a', 'b', 'c'];
    await addCameras('hard.', cameras);
    await using published = new EventCollector(broker.address, 'hard.');
    const progress = (frames: number) =>
      expect.poll(() => published.frames.length, { timeout: 60_000 }).toBeGreaterThan(frames);
    await progress(60);
    await workers.kill(workers.running('infer')[0]!);
    await workers.start('infer');
    await progress(200);
    await workers.kill(workers.running('ingest')[0]!);
    await broker.kill9();
    await broker.restart();
    await workers.start('ingest');
    await progress(400);
    await workers.kill(workers.running('infer')[0]!);
    await workers.start('infer');
    expect(await published.waitForFrames(cameras.length * reference.frames.length, 180_000)).toBe(true);
    await expectReferenceEvents('hard.', cameras);
  }, 400_000);

  it('fence a worker that was suspended past its session', async () => {
    using scratch = new Scratch();
    await using workers = new WorkerProcesses(scratch, workerConfig('zombie.', 1));
    const suspended = await workers.start('infer');
    await workers.start('ingest');
    await addCameras('zombie.', ['a']);
    await using published = new EventCollector(broker.address, 'zombie.');
    await expect.poll(() => published.frames.length, { timeout: 60_000 }).toBeGreaterThan(30);
    suspended.signal('SIGSTOP');
    const successor = await workers.start('infer');
    expect(await published.waitForFrames(reference.frames.length, 90_000)).toBe(true);
    suspended.signal('SIGCONT');
    await sleep(3_000);
    await expectReferenceEvents('zombie.', ['a']);
    // The transaction of the suspended worker failed: each event was published by one worker.
    const eventIds = [suspended, successor].map((worker) =>
      worker.linesOfType('frame').map((line) => line.eventId),
    );
    expect(eventIds[1]!.length).toBeGreaterThan(0);
    expect(new Set(eventIds.flat()).size).toBe(reference.frames.length);
    expect(eventIds.flat().length).toBe(reference.frames.length);
  }, 240_000);
});
