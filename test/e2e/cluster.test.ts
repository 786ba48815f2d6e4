import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineCamera, writeCameras } from '../../src/cluster/ingest/camera-config.ts';
import { consume } from '../../src/consume/index.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { Austream, DEMO_CLIP, Scratch } from './austream.ts';
import { activationDifference, compareFrames, essence, Published, readAll, SAME } from './cluster-events.ts';
import { Workers } from './cluster-workers.ts';

const CLIP = { url: `file://${DEMO_CLIP}`, analysisFps: 15 };

let broker: KafkaBroker;
/** What one process makes of the clip. */
let alone: Pick<Published, 'frames' | 'activations'>;

beforeAll(async () => {
  broker = await KafkaBroker.start();
  using scratch = new Scratch();
  const kafka = { brokers: [broker.address], topicPrefix: 'alone.' };
  const config = scratch.file('run.yaml', { cameras: [{ id: 'alone', ...CLIP }], kafka });
  await using run = new Austream(['run', '-c', config, '--json']);
  expect(await run.exited).toBe(0);
  await using published = new Published(broker.address, 'alone.');
  expect(await published.complete(run.linesOfType('frame').length, 30_000)).toBe(true);
  alone = published;
  // The clip's faces fill more than a window.
  expect(alone.frames.length).toBeGreaterThan(280);
  expect(alone.activations.length).toBeGreaterThan(10);
}, 120_000);
afterAll(() => broker.stop());

/** The config that the workers of one test share. */
function shared(prefix: string, partitions = 4) {
  return {
    kafka: { brokers: [broker.address], topicPrefix: prefix, topics: { partitions } },
    cluster: { group: prefix, cameras: 'topic', sessionSeconds: 6 },
    infer: { threads: 1 },
  };
}

/** Puts file cameras into the topic. */
async function addCameras(prefix: string, ids: readonly string[]): Promise<void> {
  const kafka = kafkaOptions.parse(shared(prefix).kafka);
  await writeCameras(kafka, new Map(ids.map((id) => [id, defineCamera({ id, ...CLIP })])));
}

/** Every camera's events are those of one process. */
async function expectAlone(prefix: string, cameras: readonly string[]): Promise<void> {
  const all = await readAll(broker.address, prefix);
  for (const id of cameras) {
    const frames = all.frames.filter(({ cameraId }) => cameraId === id);
    const { difference, ...rest } = compareFrames(alone.frames, frames);
    expect(rest, id).toEqual(SAME);
    expect(difference, id).toBeLessThan(1e-5);
    const activations = all.activations.filter(({ cameraId }) => cameraId === id);
    expect(essence(activations), id).toEqual(essence(alone.activations));
    expect(activationDifference(alone.activations, activations), id).toBeLessThan(1e-5);
  }
}

describe('ingest and infer workers', () => {
  it('share cameras and partitions out, and publish what one process publishes', async () => {
    using scratch = new Scratch();
    await using workers = new Workers(scratch, shared('even.'));
    await Promise.all([workers.start('infer'), workers.start('infer'), workers.start('ingest')]);
    await workers.start('ingest');
    const producer = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    await producer.send({ topic: 'even.crops', messages: [{ key: 'a/1', value: 'pixels of another time' }] });
    await producer.disconnect();
    await addCameras('even.', ['a', 'b']);
    await using published = new Published(broker.address, 'even.');
    expect(await published.complete(2 * alone.frames.length, 120_000)).toBe(true);
    await expectAlone('even.', ['a', 'b']);
    // What cannot be read is told of, but pictures stay where they are soon gone.
    const from = { brokers: [broker.address], topics: ['even.deadletter'], groupId: 'graves' };
    const letters = consume({ ...from, fromBeginning: true });
    const { value: letter } = await letters.next();
    await letters.return();
    expect(letter).toMatchObject({ key: 'a/1', value: { reason: 'unknown_format', value: null } });
    const scored = await Promise.all(workers.of('infer').map((worker) => workers.stop(worker)));
    expect(scored).toEqual([0, 0]);
  }, 240_000);

  it('lose nothing and publish nothing twice when workers are killed, the brokers too', async () => {
    using scratch = new Scratch();
    await using workers = new Workers(scratch, shared('hard.'));
    await Promise.all([
      workers.start('infer'),
      workers.start('infer'),
      workers.start('ingest'),
      workers.start('ingest'),
    ]);
    const cameras = ['a', 'b', 'c'];
    await addCameras('hard.', cameras);
    await using published = new Published(broker.address, 'hard.');
    const progress = (frames: number) =>
      expect.poll(() => published.frames.length, { timeout: 60_000 }).toBeGreaterThan(frames);
    await progress(60);
    await workers.kill(workers.of('infer')[0]!);
    await workers.start('infer');
    await progress(200);
    await workers.kill(workers.of('ingest')[0]!);
    await broker.kill9();
    await broker.restart();
    await workers.start('ingest');
    await progress(400);
    await workers.kill(workers.of('infer')[0]!);
    await workers.start('infer');
    expect(await published.complete(cameras.length * alone.frames.length, 180_000)).toBe(true);
    await expectAlone('hard.', cameras);
  }, 400_000);

  it('shut out a worker that slept past its session', async () => {
    using scratch = new Scratch();
    await using workers = new Workers(scratch, shared('zombie.', 1));
    const sleeper = await workers.start('infer');
    await workers.start('ingest');
    await addCameras('zombie.', ['a']);
    await using published = new Published(broker.address, 'zombie.');
    await expect.poll(() => published.frames.length, { timeout: 60_000 }).toBeGreaterThan(30);
    sleeper.signal('SIGSTOP');
    const successor = await workers.start('infer');
    expect(await published.complete(alone.frames.length, 90_000)).toBe(true);
    sleeper.signal('SIGCONT');
    await sleep(3_000);
    await expectAlone('zombie.', ['a']);
    // Whatever it had in hand did not get through: each event has one author.
    const authors = [sleeper, successor].map((worker) =>
      worker.linesOfType('frame').map((line) => line.eventId),
    );
    expect(authors[1]!.length).toBeGreaterThan(0);
    expect(new Set(authors.flat()).size).toBe(alone.frames.length);
    expect(authors.flat().length).toBe(alone.frames.length);
  }, 240_000);
});
