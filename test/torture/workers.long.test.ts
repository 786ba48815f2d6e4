import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defineCamera } from '../../src/cluster/ingest/camera-definition.ts';
import { writeCameras } from '../../src/cluster/ingest/camera-topic.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { RecordDecoder } from '../../src/records/decode.ts';
import type { AuFrame } from '../../src/records/events.ts';
import { Austream, DEMO_CLIP, Scratch } from '../e2e/austream.ts';
import { compareFrames, NO_DIFFERENCES } from '../e2e/cluster-events.ts';
import { WorkerProcesses } from '../e2e/cluster-workers.ts';
import { Collector } from './collector.ts';
import { Random } from './random.ts';
import { type Fault, PREFIX, SecuredCluster, until } from './secured-cluster.ts';

const MINUTES = Number(process.env.TORTURE_MINUTES ?? 30);
const SEED = Number(process.env.TORTURE_SEED ?? 1);
/** Only the faults with this name. */
const ONLY = process.env.TORTURE_ONLY;
/** Cameras that play at the same time. Files: none of their frames may be left out. */
const CAMERAS = 2;
const CLIP = { url: `file://${DEMO_CLIP}`, analysisFps: 8 };

const random = new Random(SEED);
const started = performance.now();
const scratch = new Scratch();
let cluster: SecuredCluster;
let workers: WorkerProcesses;
let collector: Collector;
let reference: readonly AuFrame[];
/** Frames in the order of their receipt, by camera. */
const received = new Map<string, AuFrame[]>();

const say = (text: string) =>
  console.log(`${((performance.now() - started) / 1000).toFixed(0).padStart(5)} s  ${text}`);

beforeAll(async () => {
  cluster = await SecuredCluster.start(random);
  const decoder = new RecordDecoder();
  collector = new Collector(cluster.brokers.plain, [`${PREFIX}frames`], async ({ value }) => {
    const event = await decoder.decode(value);
    if (event.record !== 'AuFrame') return;
    const { cameraId } = event.value;
    received.set(cameraId, [...(received.get(cameraId) ?? []), event.value]);
  });
  const config = {
    kafka: { ...cluster.connection, topics: { partitions: 4, replication: 3, minInsyncReplicas: 2 } },
    cluster: { group: 'torture', cameras: 'topic', sources: { paths: [DEMO_CLIP] }, sessionSeconds: 6 },
    infer: { threads: 1 },
  };
  // One process alone says which events a camera has.
  const alone = scratch.file('alone.yaml', { ...config, cameras: [{ id: 'alone', ...CLIP }] });
  await using run = new Austream(['run', '-c', alone, '--json'], { CAMERA_PASSWORD: 'unused' });
  expect(await run.exited, run.stderr).toBe(0);
  const frames = run.linesOfType('frame').length;
  await until('the reference', () => received.get('alone')?.length === frames);
  reference = received.get('alone')!;
  workers = new WorkerProcesses(scratch, config);
  await Promise.all((['infer', 'infer', 'ingest', 'ingest'] as const).map((kind) => workers.start(kind)));
}, 300_000);
afterAll(async () => {
  await workers?.[Symbol.asyncDispose]();
  await collector?.stop();
  await cluster?.stop();
  scratch[Symbol.dispose]();
}, 120_000);

/** Faults of the workers themselves. */
function workerFaults(): Record<string, Fault> {
  const replaced = async (kind: 'infer' | 'ingest', end: 'kill' | 'stop', seconds: number) => {
    await workers[end](random.pick(workers.running(kind)));
    await sleep(seconds * 1000);
    await workers.start(kind);
  };
  return {
    'an inference worker killed': (seconds) => replaced('infer', 'kill', seconds),
    'an inference worker stopped': (seconds) => replaced('infer', 'stop', seconds),
    'an ingest worker stopped': (seconds) => replaced('ingest', 'stop', seconds),
    'an ingest worker killed': (seconds) => replaced('ingest', 'kill', seconds),
    'an inference worker suspended': async (seconds) => {
      const worker = random.pick(workers.running('infer'));
      worker.signal('SIGSTOP');
      await sleep(seconds * 1000);
      worker.signal('SIGCONT');
    },
  };
}

test(
  'every frame of every file is scored and published once, in order',
  async () => {
    const faults = {
      ...cluster.faults(['frames', 'activations', 'crops', 'infer-state'].map((topic) => PREFIX + topic)),
      ...workerFaults(),
    };
    const kafka = kafkaOptions.parse(cluster.connection);
    const ends = performance.now() + MINUTES * 60_000;
    let queue: string[] = [];
    let count = 0;
    for (let round = 1; performance.now() < ends; round += 1) {
      const ids = Array.from({ length: CAMERAS }, (_, index) => `r${round}-${index}`);
      await writeCameras(kafka, new Map(ids.map((id) => [id, defineCamera({ id, ...CLIP })])));
      const frames = () => ids.reduce((sum, id) => sum + (received.get(id)?.length ?? 0), 0);
      const complete = () => frames() >= ids.length * reference.length;
      await until('the first frames of the round', () => frames() > 10, 180);
      while (!complete() && performance.now() < ends) {
        if (queue.length === 0) queue = ONLY ? [ONLY] : random.shuffled(Object.keys(faults));
        const name = queue.pop()!;
        const seconds = random.between(3, 12);
        say(`round ${round}: ${name}, ${seconds.toFixed(0)} s`);
        await faults[name]!(seconds);
        count += 1;
        await until('all replicas are in sync', () => cluster.replicasInSync());
        const before = frames();
        await until(`frames flow again after: ${name}`, () => complete() || frames() > before + 10, 240);
      }
      await until('the round is complete', complete, 300);
      await sleep(3000);
      for (const id of ids) {
        const { difference, ...differences } = compareFrames(reference, received.get(id) ?? []);
        say(`  ${id}: ${JSON.stringify({ ...differences, difference })}`);
        expect(differences, id).toEqual(NO_DIFFERENCES);
        expect(difference, id).toBeLessThan(1e-5);
      }
    }
    for (const kind of ['infer', 'ingest'] as const)
      for (const worker of workers.running(kind)) expect(await workers.stop(worker)).toBe(0);
    say(`${count} faults, seed ${SEED}, ${[...received.values()].flat().length} frames`);
  },
  (MINUTES + 20) * 60_000,
);
