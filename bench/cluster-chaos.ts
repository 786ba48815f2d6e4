// Kills random ingest workers, infer workers and the broker while clips play, then compares every event with those that
// one undisturbed process publishes for the same clip.
// Run: node bench/cluster-chaos.ts [--minutes 10] [--seed 1] [--every 15] [--at-once 2] [--logs FILE]

import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { defineCamera } from '../src/cluster/ingest/camera-definition.ts';
import { writeCameras } from '../src/cluster/ingest/camera-topic.ts';
import { kafkaOptions } from '../src/kafka/options.ts';
import { KafkaBroker } from '../test/broker/kafka-broker.ts';
import { Austream, DEMO_CLIP, Scratch } from '../test/e2e/austream.ts';
import {
  activationDifference,
  comparableActivations,
  compareFrames,
  EventCollector,
  readAll,
} from '../test/e2e/cluster-events.ts';
import { WorkerProcesses } from '../test/e2e/cluster-workers.ts';
import { seededRandom } from './random.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    every: { type: 'string', default: '15' },
    'at-once': { type: 'string', default: '2' },
    logs: { type: 'string' },
  },
});
const random = seededRandom(Number(values.seed));
const CLIP = { url: `file://${DEMO_CLIP}`, analysisFps: 15 };
const say = (text: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

const broker = await KafkaBroker.start();
using scratch = new Scratch();
const base = {
  kafka: { brokers: [broker.address], topicPrefix: 'chaos.', topics: { partitions: 6 } },
  cluster: { group: 'chaos', cameras: 'topic', sources: { paths: [DEMO_CLIP] }, sessionSeconds: 6 },
  infer: { threads: 1 },
  log: { level: 'debug' },
};
const reference = await runOneProcess();
say(
  `one process: ${reference.frames.length} frames, ${reference.activations.length} activations in the clip`,
);

await using workers = new WorkerProcesses(scratch, base);
await workers.start('infer');
await Promise.all([workers.start('infer'), workers.start('ingest'), workers.start('ingest')]);
await using published = new EventCollector(broker.address, 'chaos.');
const cameras: string[] = [];
const faults: Record<string, number> = { infer: 0, ingest: 0, broker: 0, 'infer stopped': 0 };
const end = Date.now() + Number(values.minutes) * 60_000;
const adding = addCameras();
while (Date.now() < end) {
  await sleep(Number(values.every) * 1000 * (0.5 + random()));
  await injectFault();
}
await adding;
await published.waitForFrames(cameras.length * reference.frames.length, 180_000);
const found = await readAll(broker.address, 'chaos.');
report();
if (values.logs) {
  for (const kind of ['ingest', 'infer'] as const)
    for (const worker of workers.running(kind))
      workers.stderr += `=== ${kind} ${worker.process.pid}\n${worker.stderr}`;
  writeFileSync(values.logs, workers.stderr);
  writeFileSync(`${values.logs}.json`, JSON.stringify({ expected: reference.frames, actual: found.frames }));
}
await published[Symbol.asyncDispose]();
await workers[Symbol.asyncDispose]();
await broker.stop();
process.exit(allEqual() ? 0 : 1);

async function runOneProcess() {
  const kafka = { brokers: [broker.address], topicPrefix: 'alone.' };
  const config = scratch.file('alone.yaml', { cameras: [{ id: 'alone', ...CLIP }], kafka });
  await using run = new Austream(['run', '-c', config, '--json']);
  if ((await run.exited) !== 0) throw new Error(run.stderr);
  await using all = new EventCollector(broker.address, 'alone.');
  await all.waitForFrames(run.linesOfType('frame').length, 60_000);
  return all;
}

/** Adds cameras so that `--at-once` clips play at any time. */
async function addCameras(): Promise<void> {
  const kafka = kafkaOptions.parse(base.kafka);
  while (Date.now() < end) {
    const playing = cameras.filter((id) => framesOf(id).length < reference.frames.length);
    if (playing.length < Number(values['at-once'])) {
      const id = `clip${cameras.length}`;
      try {
        await writeCameras(kafka, new Map([[id, defineCamera({ id, ...CLIP })]]));
        cameras.push(id);
      } catch (error) {
        say(`cannot add a camera now: ${(error as Error).message}`);
      }
    }
    await sleep(500);
  }
}

async function injectFault(): Promise<void> {
  const draw = random();
  if (draw < 0.1) {
    faults.broker! += 1;
    say('kill -9 and restart of the broker');
    await broker.kill9();
    await sleep(random() * 4_000);
    await broker.restart();
  } else if (draw < 0.2) {
    faults['infer stopped']! += 1;
    say('SIGTERM to an infer worker');
    await workers.stop(workers.running('infer')[Math.floor(random() * 2)]!);
    await workers.start('infer');
  } else {
    const kind = draw < 0.65 ? 'infer' : 'ingest';
    faults[kind]! += 1;
    say(`kill -9 of ${kind}; ${published.frames.length} frames so far of ${cameras.length} clips`);
    await workers.kill(workers.running(kind)[Math.floor(random() * 2)]!);
    await sleep(random() * 3_000);
    await workers.start(kind);
  }
}

function framesOf(id: string) {
  return published.frames.filter(({ cameraId }) => cameraId === id);
}

function compareCamera(id: string) {
  const activations = found.activations.filter(({ cameraId }) => cameraId === id);
  const frames = found.frames.filter(({ cameraId }) => cameraId === id);
  return {
    ...compareFrames(reference.frames, frames),
    activations:
      JSON.stringify(comparableActivations(activations)) ===
      JSON.stringify(comparableActivations(reference.activations)),
    activationDifference: activationDifference(reference.activations, activations),
  };
}

function allEqual(): boolean {
  return cameras
    .map(compareCamera)
    .every(
      ({
        missing,
        duplicates,
        unexpected,
        outOfOrder,
        difference,
        activations,
        activationDifference: other,
      }) =>
        missing + duplicates + unexpected + outOfOrder === 0 &&
        difference < 1e-5 &&
        activations &&
        other < 1e-5,
    );
}

function report(): void {
  const all = cameras.map(compareCamera);
  const sum = (key: 'missing' | 'duplicates' | 'unexpected' | 'outOfOrder') =>
    all.reduce((total, camera) => total + camera[key], 0);
  process.stdout.write(
    `${JSON.stringify(
      {
        seed: Number(values.seed),
        minutes: Number(values.minutes),
        faults,
        clips: cameras.length,
        frames: found.frames.length,
        activations: found.activations.length,
        framesReadByKafkajs: published.frames.length,
        missing: sum('missing'),
        duplicates: sum('duplicates'),
        unexpected: sum('unexpected'),
        outOfOrder: sum('outOfOrder'),
        largestDifference: Math.max(...all.map((camera) => camera.difference)),
        clipsWithOtherActivations: all.filter((camera) => !camera.activations).length,
      },
      null,
      1,
    )}\n`,
  );
}
