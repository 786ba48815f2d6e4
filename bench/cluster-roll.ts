// Rolling restart: replaces every inference worker, one after another, while simulated cameras run. Prints what a
// consumer observes: lost and duplicate events, the longest silence, the lag.
// Run: node bench/cluster-roll.ts [--cameras 2] [--fps 10] [--workers 2]
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { consume } from '../src/consume/index.ts';
import { trackKey } from '../src/domain/track-key.ts';
import { Simulator } from '../src/simulate/simulator.ts';
import { KafkaBroker } from '../test/broker/kafka-broker.ts';
import { DEMO_CLIP, Scratch } from '../test/e2e/austream.ts';
import { EventCollector } from '../test/e2e/cluster-events.ts';
import { WorkerProcesses } from '../test/e2e/cluster-workers.ts';
import { quantile } from './cpu-time.ts';

const { values } = parseArgs({
  options: {
    cameras: { type: 'string', default: '2' },
    fps: { type: 'string', default: '10' },
    workers: { type: 'string', default: '2' },
  },
});
const broker = await KafkaBroker.start();
const simulator = await Simulator.start({ sources: [DEMO_CLIP], cameras: Number(values.cameras) });
using scratch = new Scratch();
await using workers = new WorkerProcesses(scratch, {
  cameras: simulator.urls.map((url, index) => ({ id: `cam${index}`, url, analysisFps: Number(values.fps) })),
  kafka: { brokers: [broker.address], topicPrefix: 'roll.', topics: { partitions: 6 } },
  cluster: { group: 'roll', sessionSeconds: 6 },
  infer: { threads: 1 },
  log: { level: 'debug' },
});
for (let n = 0; n < Number(values.workers); n += 1) await workers.start('infer');
const ingest = await workers.start('ingest');
await using published = new EventCollector(broker.address, 'roll.');
await sleep(40_000);
const began = published.frames.length;
for (const worker of [...workers.running('infer')]) {
  console.error(`${Date.now()} stop`);
  const code = await workers.stop(worker);
  console.error(`${Date.now()} worker ended with ${code}; ${published.frames.length} frames so far`);
  await workers.start('infer');
  console.error(`${Date.now()} its replacement runs`);
  await sleep(5_000);
}
await sleep(15_000);
await workers.stop(ingest);
if (process.env.LOGS) for (const worker of workers.running('infer')) console.error(worker.stderr);
await published.waitForFrames(0, 60_000);

const crops = await countCrops();
const ids = new Set(published.frames.map(({ eventId }) => eventId));
const gaps: number[] = [];
const newest = new Map<string, { capture: number; at: number }>();
const silences: number[] = [];
published.frames.forEach((frame, index) => {
  const key = trackKey(frame);
  const last = newest.get(key);
  if (last && index >= began) {
    gaps.push((frame.captureTime - last.capture) / 1e6);
    silences.push((published.receivedAt[index]! - last.at) / 1e3);
  }
  newest.set(key, { capture: frame.captureTime, at: published.receivedAt[index]! });
});
const lags = published.frames
  .map((frame, index) => published.receivedAt[index]! - frame.receivedAt / 1000)
  .slice(began);
console.log(
  JSON.stringify({
    workersReplaced: Number(values.workers),
    cropsOnTopic: crops.size,
    framesPublished: published.frames.length,
    lost: [...crops].filter((id) => !ids.has(id)).length,
    duplicates: published.frames.length - ids.size,
    longestGapOfCaptureTimeSeconds: Math.max(...gaps),
    longestSilenceSeconds: Math.max(...silences),
    lagMs: { p50: Math.round(quantile(lags, 0.5)), max: Math.round(Math.max(...lags)) },
  }),
);
await Promise.all([workers, published].map((resource) => resource[Symbol.asyncDispose]()));
await simulator.stop();
await broker.stop();
process.exit(0);

/** The event ids of all crops that reached the topic. */
async function countCrops(): Promise<Set<string>> {
  const ids = new Set<string>();
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), 20_000);
  for await (const event of consume({
    brokers: [broker.address],
    topics: ['roll.crops'],
    groupId: 'count',
    fromBeginning: true,
    commit: false,
    signal: stop.signal,
  })) {
    clearTimeout(timer);
    timer = setTimeout(() => stop.abort(), 3_000);
    if (event.record !== 'FaceCropBatch') continue;
    const { cameraId, epoch, trackId } = event.value;
    for (const { frame } of event.value.crops) ids.add(`${cameraId}/${epoch}/${trackId}/${frame}`);
  }
  return ids;
}
