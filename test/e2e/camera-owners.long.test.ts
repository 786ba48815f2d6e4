import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineCamera } from '../../src/cluster/ingest/camera-definition.ts';
import { writeCameras } from '../../src/cluster/ingest/camera-topic.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { writeTable } from '../../src/kafka/table-writer.ts';
import { RecordDecoder } from '../../src/records/decode.ts';
import type { CameraStatus } from '../../src/records/events.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { readTopic } from '../broker/read-topic.ts';
import { type Austream, DEMO_CLIP, Scratch } from './austream.ts';
import { EventCollector } from './cluster-events.ts';
import { WorkerProcesses } from './cluster-workers.ts';

let simulator: Simulator;
let broker: KafkaBroker;
beforeAll(async () => {
  [simulator, broker] = await Promise.all([
    Simulator.start({ sources: [DEMO_CLIP], cameras: 1, fps: 10 }),
    KafkaBroker.start(),
  ]);
}, 60_000);
afterAll(() => Promise.all([simulator?.stop(), broker?.stop()]));

/** The same camera in the config of every worker. */
function config(prefix: string) {
  return {
    cameras: [{ id: 'hall', url: simulator.urls[0], analysisFps: 5 }],
    kafka: { brokers: [broker.address], topicPrefix: prefix, topics: { partitions: 2 } },
    cluster: { group: prefix, sessionSeconds: 6 },
    ingest: { maxClockErrorSeconds: 0, statusSeconds: 2 },
    infer: { threads: 1 },
  };
}

/** Each status on the topic, in its order. */
async function statusesOf(prefix: string): Promise<CameraStatus[]> {
  const decoder = new RecordDecoder();
  const statuses: CameraStatus[] = [];
  for (const { value } of await readTopic([broker.address], `${prefix}cameras`)) {
    if (value === null) continue;
    const { record, value: status } = await decoder.decode(value);
    if (record === 'CameraStatus') statuses.push(status);
  }
  return statuses;
}

const isSuperseded = (status: object) =>
  'state' in status && status.state === 'PAUSED' && 'cause' in status && status.cause === 'superseded';

describe('two workers that run one camera', () => {
  it.each([['ingest'], ['run']] as const)(
    'a worker and %s: the newer wins, both are named, and when it dies the older one goes on within seconds',
    async (kind) => {
      const prefix = `${kind}.`;
      using scratch = new Scratch();
      await using workers = new WorkerProcesses(scratch, config(prefix));
      const older: Austream = await workers.start('ingest');
      await workers.start('infer');
      await using published = new EventCollector(broker.address, prefix);
      const epochs = () => [...new Set(published.frames.map(({ epoch }) => epoch))];
      await expect.poll(() => epochs().length, { timeout: 90_000 }).toBe(1);

      const newer: Austream = await workers.start(kind);
      const yielded = await older.untilLine((line) => line.type === 'camera' && isSuperseded(line));
      await expect.poll(() => epochs().length, { timeout: 60_000 }).toBe(2);
      const [first, second] = epochs() as [number, number];
      expect(second).toBeGreaterThan(first);
      const contested = await newer.untilLine(
        (line) =>
          line.type === 'camera' && line.state === 'LIVE' && /, which is newer, runs it/.test(line.detail),
      );
      // Each names the other, on its own output and on the topic.
      expect(contested.detail).toContain(yielded.worker);
      expect(yielded.detail).toContain(contested.worker);
      await older.untilLogged('which is newer, runs this camera');
      await newer.untilLogged('has two workers');
      // The older one is silent on the topic but for its notice; the newest status is the newer one's.
      const before = await statusesOf(prefix);
      expect(before.filter(isSuperseded).map(({ worker }) => worker)).toEqual([yielded.worker]);
      expect(before.at(-1)).toMatchObject({ worker: contested.worker, state: 'LIVE' });
      // It beats: the older one then knows that it is dead as soon as it is.
      await expect
        .poll(
          async () =>
            (await statusesOf(prefix)).slice(before.length).filter(({ state }) => state === 'LIVE').length,
          { timeout: 30_000 },
        )
        .toBeGreaterThan(5);

      const count = published.frames.length;
      await workers.kill(newer);
      const killedAt = performance.now();
      await expect
        .poll(() => published.frames.slice(count).some(({ epoch }) => epoch > second), { timeout: 60_000 })
        .toBe(true);
      expect(performance.now() - killedAt).toBeLessThan(30_000);
      await older.untilLogged('takes it over, because');
      const ids = published.frames.map(({ eventId }) => eventId);
      expect(new Set(ids).size).toBe(ids.length);
      expect(await workers.stop(older)).toBe(0);
    },
    240_000,
  );
});

it('a camera of the topic that cannot run says why and what to do on au.cameras; a removed one leaves a tombstone', async () => {
  using scratch = new Scratch();
  const { cameras: _, ...base } = config('topic.');
  await using workers = new WorkerProcesses(scratch, {
    ...base,
    cluster: { ...base.cluster, cameras: 'topic', secrets: { env: ['CAMERA_*'] } },
  });
  const worker = await workers.start('ingest');
  const kafka = kafkaOptions.parse(base.kafka);
  const url = 'rtsp://192.0.2.1/stream';
  const secret = defineCamera({ id: 'secret', url, username: 'viewer', password: `\${CAMERA_NOT_SET}` });
  await writeCameras(kafka, new Map([['secret', secret]]));
  await writeTable(kafka, 'topic.camera-config', [
    { key: 'odd', partition: 0, value: Buffer.from('{"id":"odd"}') },
  ]);
  const refused = (id: string) =>
    worker.untilLogged('"msg":"running').then(async () => {
      await expect
        .poll(async () => (await statusesOf('topic.')).findLast(({ cameraId }) => cameraId === id)?.cause, {
          timeout: 30_000,
        })
        .toBe('CONFIG_INVALID');
      return (await statusesOf('topic.')).findLast(({ cameraId }) => cameraId === id)!;
    });
  expect(await refused('secret')).toMatchObject({ state: 'RECONNECTING' });
  expect((await refused('secret')).detail).toMatch(
    /is not set on this host \(set the environment variable CAMERA_NOT_SET\)/,
  );
  expect(await refused('odd')).toMatchObject({ state: 'REFUSED' });
  expect((await refused('odd')).detail).toMatch(/not a valid camera.*austream cameras add odd/);

  await writeCameras(
    kafka,
    new Map([
      ['secret', null],
      ['odd', null],
    ]),
  );
  for (const id of ['secret', 'odd'])
    await expect
      .poll(
        async () =>
          (await readTopic([broker.address], 'topic.cameras')).findLast(({ key }) => key === id)?.value,
        { timeout: 30_000 },
      )
      .toBeNull();
  expect(await workers.stop(worker)).toBe(0);
}, 120_000);
