// Predicts lag and cost of clusters from measured service times (bench/scale/times.json).
//   node bench/scale.ts [table SPEED]  prints the sizing table, for devices SPEED (default 1) times as fast as one core
//   node bench/scale.ts measure        measures the stages' service times on this machine and writes times.json
//   node bench/scale.ts check          compares predictions with real runs of 1, 2, 4 and 8 simulated cameras
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CROP_BYTES } from '../src/domain/face.ts';
import { openModel } from '../src/infer/engine/index.ts';
import { inferOptions } from '../src/infer/options.ts';
import { Simulator } from '../src/simulate/simulator.ts';
import { KafkaBroker } from '../test/broker/kafka-broker.ts';
import { DEMO_CLIP, Scratch } from '../test/e2e/austream.ts';
import { EventCollector } from '../test/e2e/cluster-events.ts';
import { WorkerProcesses } from '../test/e2e/cluster-workers.ts';
import { cpuSeconds, quantile } from './cpu-time.ts';
import { measureCamera } from './scale/measure-camera.ts';
import { measureHop } from './scale/measure-hop.ts';
import { simulate } from './scale/simulate.ts';
import type { Deployment, ServiceTimes } from './scale/times.ts';

const TIMES = new URL('scale/times.json', import.meta.url);
const DEFAULTS = {
  facesPerCamera: 1,
  cameraFps: 25,
  fps: 15,
  hop: 16,
  ingestCores: 8,
  batchMax: 64,
  batchDeadline: 0.04,
  commitEvery: 0.1,
};

const times = (): ServiceTimes => JSON.parse(readFileSync(TIMES, 'utf8')) as ServiceTimes;
const ms = (seconds: number) => `${Math.round(seconds * 1000)}`;

if (process.argv[2] === 'measure') await measure();
else if (process.argv[2] === 'check') await check();
else table(Number(process.argv[3] ?? 1));
process.exit(0);

/** Prints for each number of cameras the smallest number of workers for which the busiest stays below 70 %. */
function table(speed: number): void {
  console.log(
    '| cameras | ingest workers of 8 cores | inference devices | partitions | Kafka MB/s | transactions/s | busiest ingest, device, its process | lag p50, p99 ms |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const cameras of [10, 100, 1_000, 10_000]) {
    const t = faster(times(), speed);
    const base = { ...DEFAULTS, cameras };
    const fits = (d: Deployment) => {
      const p = simulate(d, t);
      return { d, p, ingest: p.ingestLoad < 0.7, infer: Math.max(p.deviceLoad, p.hostLoad) < 0.7 };
    };
    let d: Deployment = { ...base, ingestWorkers: 1, inferWorkers: 1, partitions: 6 };
    let found = fits(d);
    while (!found.ingest || !found.infer) {
      const grow = (count: number, enough: boolean) => (enough ? count : Math.ceil(count * 1.1 + 0.5));
      const inferWorkers = grow(d.inferWorkers, found.infer);
      d = {
        ...d,
        ingestWorkers: grow(d.ingestWorkers, found.ingest),
        inferWorkers,
        // Several partitions per worker even out the load that hashing spreads unevenly.
        partitions: Math.max(6, inferWorkers * 3),
      };
      found = fits(d);
    }
    const { p } = found;
    const percent = (load: number) => `${Math.round(load * 100)} %`;
    console.log(
      `| ${cameras} | ${d.ingestWorkers} | ${d.inferWorkers} | ${d.partitions} | ${p.kafkaMegabytes.toFixed(p.kafkaMegabytes < 10 ? 1 : 0)} | ${Math.round(p.transactions)} | ${percent(p.ingestLoad)}, ${percent(p.deviceLoad)}, ${percent(p.hostLoad)} | ${ms(p.lag.p50)}, ${ms(p.lag.p99)} |`,
    );
  }
}

function faster(t: ServiceTimes, speed: number): ServiceTimes {
  return {
    ...t,
    encodeRun: t.encodeRun / speed,
    encodeCrop: t.encodeCrop / speed,
    scoreRun: t.scoreRun / speed,
    scoreWindow: t.scoreWindow / speed,
  };
}

/** Fits the CPU time of both encoders by batch size with a line through two points. */
async function measure(): Promise<void> {
  const model = await openModel(inferOptions.parse({ threads: 1 }));
  const window = model.windowSize * model.embeddingSize;
  const cost = async (work: () => Promise<unknown>) => {
    await work();
    const rounds: number[] = [];
    for (let round = 0; round < 15; round += 1) {
      const before = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(before);
      rounds.push((user + system) / 1e6);
    }
    return quantile(rounds, 0.5);
  };
  const encode = (n: number) => cost(() => model.encode(new Uint8Array(n * CROP_BYTES), n));
  const score = (n: number) => cost(() => model.scoreNewest(new Float32Array(n * window), n));
  const [e16, e64, s1, s8] = [await encode(16), await encode(64), await score(1), await score(8)];
  const measured = {
    encodeRun: Math.max(0, e16 - (e64 - e16) / 3),
    encodeCrop: (e64 - e16) / 48,
    scoreRun: Math.max(0, s1 - (s8 - s1) / 7),
    scoreWindow: (s8 - s1) / 7,
  };
  await model.close();
  const camera = await measureCamera();
  const hop = await measureHop();
  const modelPerCrop = measured.encodeCrop + (measured.scoreRun / 8 + measured.scoreWindow) / DEFAULTS.hop;
  Object.assign(measured, camera, {
    ingestCrop: hop.ingestCrop,
    inferCrop: Math.max(0, hop.inferCropWithModel - modelPerCrop),
  });
  writeFileSync(TIMES, `${JSON.stringify({ ...times(), ...measured }, null, 2)}\n`);
  console.log(measured);
}

/**
 * Runs a real ingest worker and a real inference worker with 1, 2, 4 and 8 simulated cameras. The run with one camera
 * calibrates the service times for this clip; the other runs are compared with the simulation.
 */
async function check(): Promise<void> {
  const fps = Number(process.argv[3] ?? 4);
  console.log('| cameras | crops/s | processors, real | predicted | ÷ | lag p50, p99 ms, real | predicted |');
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  let t = times();
  for (const cameras of [1, 2, 4, 8]) {
    const real = await runFor(cameras, fps, 40);
    if (cameras === 1) t = { ...t, ...calibrated(real, t) };
    const d: Deployment = {
      ...DEFAULTS,
      // Under load austream sheds frames: predict for the rate that was achieved.
      fps: real.cropRate / cameras,
      cameras,
      cameraFps: fps,
      ingestCores: 2,
      ingestWorkers: 1,
      inferWorkers: 1,
      partitions: 6,
    };
    const { processors, lag } = simulate(d, t);
    const ratio = (processors / real.processors).toFixed(2);
    console.log(
      `| ${cameras} | ${real.cropRate.toFixed(1)} | ${real.processors.toFixed(2)} | ${processors.toFixed(2)} | ${ratio} | ${ms(real.p50)}, ${ms(real.p99)} | ${ms(lag.p50)}, ${ms(lag.p99)} |`,
    );
  }
}

type RealRun = Awaited<ReturnType<typeof runFor>>;

/** Counts all work of a camera process as work per analysed frame of this clip. */
function calibrated(real: RealRun, t: ServiceTimes): Partial<ServiceTimes> {
  const model = t.encodeCrop + t.scoreWindow / DEFAULTS.hop;
  return {
    decode: 0,
    analyse: 0,
    analyseFace: real.childPerCrop,
    ingestCrop: real.ingestPerCrop,
    inferCrop: Math.max(0, real.inferPerCrop - model),
  };
}

async function runFor(cameras: number, fps: number, seconds: number) {
  const broker = await KafkaBroker.start();
  const simulator = await Simulator.start({ sources: [DEMO_CLIP], cameras });
  using scratch = new Scratch();
  const workers = new WorkerProcesses(scratch, {
    cameras: simulator.urls.map((url, index) => ({ id: `cam${index}`, url, analysisFps: fps })),
    kafka: { brokers: [broker.address], topicPrefix: 'scale.', topics: { partitions: 6 } },
    cluster: { group: 'scale' },
    infer: { threads: 1 },
  });
  const infer = (await workers.start('infer')).process.pid!;
  const ingest = (await workers.start('ingest')).process.pid!;
  const published = new EventCollector(broker.address, 'scale.');
  await sleep(20_000 + 1_000 * cameras);
  const cpu = () => ({
    ingest: cpuSeconds(ingest),
    cameras: cpuSeconds(ingest, true) - cpuSeconds(ingest),
    infer: cpuSeconds(infer),
  });
  const [from, before, start] = [published.frames.length, cpu(), performance.now()];
  await sleep(seconds * 1000);
  const [after, elapsed] = [cpu(), (performance.now() - start) / 1000];
  const lags = published.frames
    .map((frame, at) => published.receivedAt[at]! / 1e3 - frame.receivedAt / 1e6)
    .slice(from);
  const spent = (part: keyof typeof before) => after[part] - before[part];
  await Promise.all([workers[Symbol.asyncDispose](), published[Symbol.asyncDispose]()]);
  await simulator.stop();
  await broker.stop();
  return {
    processors: (spent('ingest') + spent('cameras') + spent('infer')) / elapsed,
    childPerCrop: spent('cameras') / lags.length,
    ingestPerCrop: spent('ingest') / lags.length,
    inferPerCrop: spent('infer') / lags.length,
    cropRate: lags.length / elapsed,
    p50: quantile(lags, 0.5),
    p99: quantile(lags, 0.99),
  };
}
