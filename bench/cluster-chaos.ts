// Ingest and infer workers on a real broker while random ones are killed, and the broker, too; then every event is
// compared with what one undisturbed process makes of the same film.
// Run: node bench/cluster-chaos.ts [--minutes 10] [--seed 1] [--every 15] [--at-once 2] [--keep]

import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { defineCamera, writeCameras } from '../src/cluster/ingest/camera-config.ts';
import { kafkaOptions } from '../src/kafka/options.ts';
import { KafkaBroker } from '../test/broker/kafka-broker.ts';
import { Austream, DEMO_CLIP, Scratch } from '../test/e2e/austream.ts';
import {
  activationDifference,
  compareFrames,
  essence,
  Published,
  readAll,
} from '../test/e2e/cluster-events.ts';
import { Workers } from '../test/e2e/cluster-workers.ts';
import { randomOf } from './random.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    every: { type: 'string', default: '15' },
    'at-once': { type: 'string', default: '2' },
    logs: { type: 'string' },
  },
});
const random = randomOf(Number(values.seed));
const CLIP = { url: `file://${DEMO_CLIP}`, analysisFps: 15 };
const say = (text: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

const broker = await KafkaBroker.start();
using scratch = new Scratch();
const base = {
  kafka: { brokers: [broker.address], topicPrefix: 'chaos.', topics: { partitions: 6 } },
  cluster: { group: 'chaos', cameras: 'topic', sessionSeconds: 6 },
  infer: { threads: 1 },
  log: { level: 'debug' },
};
const alone = await undisturbed();
say(`one process: ${alone.frames.length} frames, ${alone.activations.length} activations of the film`);

await using workers = new Workers(scratch, base);
await workers.start('infer');
await Promise.all([workers.start('infer'), workers.start('ingest'), workers.start('ingest')]);
await using published = new Published(broker.address, 'chaos.');
const cameras: string[] = [];
const done: Record<string, number> = { infer: 0, ingest: 0, broker: 0, 'infer stopped': 0 };
const end = Date.now() + Number(values.minutes) * 60_000;
const feeding = feed();
while (Date.now() < end) {
  await sleep(Number(values.every) * 1000 * (0.5 + random()));
  await disturb();
}
await feeding;
await published.complete(cameras.length * alone.frames.length, 180_000);
const found = await readAll(broker.address, 'chaos.');
report();
if (values.logs) {
  for (const kind of ['ingest', 'infer'] as const)
    for (const worker of workers.of(kind))
      workers.stderr += `=== ${kind} ${worker.process.pid}\n${worker.stderr}`;
  writeFileSync(values.logs, workers.stderr);
  writeFileSync(`${values.logs}.json`, JSON.stringify({ alone: alone.frames, given: found.frames }));
}
await published[Symbol.asyncDispose]();
await workers[Symbol.asyncDispose]();
await broker.stop();
process.exit(verdict() ? 0 : 1);

async function undisturbed() {
  const kafka = { brokers: [broker.address], topicPrefix: 'alone.' };
  const config = scratch.file('alone.yaml', { cameras: [{ id: 'alone', ...CLIP }], kafka });
  await using run = new Austream(['run', '-c', config, '--json']);
  if ((await run.exited) !== 0) throw new Error(run.stderr);
  await using all = new Published(broker.address, 'alone.');
  await all.complete(run.linesOfType('frame').length, 60_000);
  return all;
}

/** Keeps so many films playing. */
async function feed(): Promise<void> {
  const kafka = kafkaOptions.parse(base.kafka);
  while (Date.now() < end) {
    const playing = cameras.filter((id) => framesOf(id).length < alone.frames.length);
    if (playing.length < Number(values['at-once'])) {
      const id = `film${cameras.length}`;
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

async function disturb(): Promise<void> {
  const what = random();
  if (what < 0.1) {
    done.broker! += 1;
    say('kill -9 and restart of the broker');
    await broker.kill9();
    await sleep(random() * 4_000);
    await broker.restart();
  } else if (what < 0.2) {
    done['infer stopped']! += 1;
    say('an infer worker is asked to end');
    await workers.stop(workers.of('infer')[Math.floor(random() * 2)]!);
    await workers.start('infer');
  } else {
    const kind = what < 0.65 ? 'infer' : 'ingest';
    done[kind]! += 1;
    say(`kill -9 of ${kind}; ${published.frames.length} frames so far of ${cameras.length} films`);
    await workers.kill(workers.of(kind)[Math.floor(random() * 2)]!);
    await sleep(random() * 3_000);
    await workers.start(kind);
  }
}

function framesOf(id: string) {
  return published.frames.filter(({ cameraId }) => cameraId === id);
}

function verdictOf(id: string) {
  const activations = found.activations.filter(({ cameraId }) => cameraId === id);
  const frames = found.frames.filter(({ cameraId }) => cameraId === id);
  return {
    ...compareFrames(alone.frames, frames),
    activations: JSON.stringify(essence(activations)) === JSON.stringify(essence(alone.activations)),
    activationDifference: activationDifference(alone.activations, activations),
  };
}

function verdict(): boolean {
  return cameras
    .map(verdictOf)
    .every(
      ({ missing, twice, foreign, outOfOrder, difference, activations, activationDifference: other }) =>
        missing + twice + foreign + outOfOrder === 0 && difference < 1e-5 && activations && other < 1e-5,
    );
}

function report(): void {
  const all = cameras.map(verdictOf);
  const sum = (key: 'missing' | 'twice' | 'foreign' | 'outOfOrder') =>
    all.reduce((total, one) => total + one[key], 0);
  process.stdout.write(
    `${JSON.stringify(
      {
        seed: Number(values.seed),
        minutes: Number(values.minutes),
        kills: done,
        films: cameras.length,
        frames: found.frames.length,
        activations: found.activations.length,
        framesThatKafkajsRead: published.frames.length,
        missing: sum('missing'),
        twice: sum('twice'),
        foreign: sum('foreign'),
        outOfOrder: sum('outOfOrder'),
        largestDifference: Math.max(...all.map((one) => one.difference)),
        filmsWithOtherActivations: all.filter((one) => !one.activations).length,
      },
      null,
      1,
    )}\n`,
  );
}
