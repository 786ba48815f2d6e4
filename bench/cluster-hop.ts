// The cost of Kafka between ingest and inference: `austream run` and the pair `austream ingest` + `austream infer` run at
// the same time on the same simulated camera. Prints the ratios of CPU time per face crop, and of the lag from the
// arrival of a frame to the arrival of its event at a consumer.
// Run: node bench/cluster-hop.ts [--seconds 60] [--fps 15]
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Simulator } from '../src/simulate/simulator.ts';
import { KafkaBroker } from '../test/broker/kafka-broker.ts';
import { DEMO_CLIP, Scratch } from '../test/e2e/austream.ts';
import { EventCollector } from '../test/e2e/cluster-events.ts';
import { WorkerProcesses } from '../test/e2e/cluster-workers.ts';
import { cpuSeconds, quantile } from './cpu-time.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, fps: { type: 'string', default: '15' } },
});
const broker = await KafkaBroker.start();
const simulator = await Simulator.start({ sources: [DEMO_CLIP], cameras: 1 });
using scratch = new Scratch();
const camera = { id: 'a', url: simulator.urls[0], analysisFps: Number(values.fps) };
const config = (topicPrefix: string) => ({
  cameras: [camera],
  kafka: { brokers: [broker.address], topicPrefix, topics: { partitions: 1 } },
  cluster: { group: topicPrefix },
  infer: { threads: 1 },
});
await using single = new WorkerProcesses(scratch, config('single.'));
await using pair = new WorkerProcesses(scratch, config('pair.'));
const run = await single.start('run');
const infer = await pair.start('infer');
const ingest = await pair.start('ingest');
await using direct = new EventCollector(broker.address, 'single.');
await using hopped = new EventCollector(broker.address, 'pair.');
await sleep(15_000);

const processes = { run, ingest, infer };
const cpuTimes = () =>
  Object.fromEntries(
    Object.entries(processes).map(([name, { process }]) => [name, cpuSeconds(process.pid!)]),
  ) as Record<keyof typeof processes, number>;
const before = cpuTimes();
const from = [direct.frames.length, hopped.frames.length] as const;
await sleep(Number(values.seconds) * 1000);
const after = cpuTimes();
const lags = [direct, hopped].map((published, index) =>
  published.frames.map((frame, at) => published.receivedAt[at]! - frame.receivedAt / 1000).slice(from[index]),
);
const perCrop = (name: keyof typeof processes, crops: number) =>
  ((after[name] - before[name]) / crops) * 1000;
const runMs = perCrop('run', lags[0]!.length);
const ingestMs = perCrop('ingest', lags[1]!.length);
const inferMs = perCrop('infer', lags[1]!.length);
const ms = (value: number) => Math.round(value);
const cost = (value: number) => `${value.toFixed(2)} ms`;
console.log(`crops: ${lags[0]!.length} by run, ${lags[1]!.length} by ingest and infer`);
console.log('CPU time per crop, without the camera process and the broker:');
console.log(
  `  run ${cost(runMs)}; ingest ${cost(ingestMs)} + infer ${cost(inferMs)}: ${((ingestMs + inferMs) / runMs).toFixed(2)} ×`,
);
for (const q of [0.5, 0.99]) {
  const [a, b] = lags.map((lag) => quantile(lag, q)) as [number, number];
  console.log(
    `lag p${q * 100}: run ${ms(a)} ms, through crops ${ms(b)} ms: +${ms(b - a)} ms, ${(b / a).toFixed(2)} ×`,
  );
}
await Promise.all([single, pair, direct, hopped].map((resource) => resource[Symbol.asyncDispose]()));
await simulator.stop();
await broker.stop();
process.exit(0);
