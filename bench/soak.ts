/**
 * Soak test: the whole pipeline for a long time, with cameras added and removed every minute. Prints the growth of memory,
 * files, handles, threads and child processes.
 *
 *     node bench/soak.ts [cameras, two or more] [minutes]
 *
 * Each minute one camera is removed, the one removed before is added again, and one is changed; the first camera is never
 * touched. The process is measured at the end of the minute, when the number of cameras is the same as a minute ago.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openPipeline } from '../src/app/pipeline.ts';
import { type CameraOptions, cameraOptions } from '../src/camera/options.ts';
import { configSchema } from '../src/config/schema.ts';
import { log } from '../src/log.ts';
import { Simulator } from '../src/simulate/simulator.ts';
import { KafkaBroker } from '../test/broker/kafka-broker.ts';

const [count = 4, minutes = 30] = process.argv.slice(2).map(Number);
const clip = fileURLToPath(new URL('../models/demo/clip.mp4', import.meta.url));
const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
log.level = 'error';

interface Sample {
  readonly minute: number;
  readonly rssMb: number;
  readonly heapMb: number;
  readonly files: number;
  readonly handles: number;
  readonly threads: number;
  readonly children: number;
  readonly childrenMb: number;
  /** Resident memory of the first camera's process. */
  readonly oldestMb: number;
}

function sample(minute: number): Sample {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
  const residentMb = (pid: string) =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  const cameras = children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/ingest/'));
  const memory = process.memoryUsage();
  return {
    minute,
    rssMb: Math.round(memory.rss / 2 ** 20),
    heapMb: Math.round(memory.heapUsed / 2 ** 20),
    files: readdirSync('/proc/self/fd').length,
    handles: process.getActiveResourcesInfo().length,
    threads: readdirSync('/proc/self/task').length,
    children: children.length,
    childrenMb: Math.round(children.reduce((sum, pid) => sum + residentMb(pid), 0)),
    oldestMb: Math.round(residentMb(cameras[0]!) * 10) / 10,
  };
}

/** Least-squares slope of a field over the second half of the samples, per minute. */
function slope(samples: readonly Sample[], field: keyof Sample): number {
  const half = samples.slice(samples.length >> 1);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(half.map(({ minute }) => minute));
  const y = mean(half.map((sample) => sample[field]));
  const top = half.reduce((sum, sample) => sum + (sample.minute - x) * (sample[field] - y), 0);
  return Math.round((top / half.reduce((sum, { minute }) => sum + (minute - x) ** 2, 0)) * 100) / 100;
}

const broker = await KafkaBroker.start();
const simulator = await Simulator.start({ sources: [clip], cameras: count, size: [320, 180], fps: 10 });
const camera = (index: number, analysisFps: number): CameraOptions =>
  cameraOptions.parse({ id: `cam${index}`, url: simulator.urls[index], analysisFps });
let events = 0;
const gaps: string[] = [];
const config = configSchema.parse({
  cameras: simulator.urls.map((_, index) => camera(index, 10)),
  // Not the embedded broker: it would keep the events in this process's memory.
  kafka: { brokers: [broker.address] },
  infer: { threads: 1 },
});
const pipeline = await openPipeline(config, {
  frames: (frames) => {
    events += frames.length;
  },
  status: ({ cameraId, gap }) => {
    if (gap) gaps.push(`${cameraId}: ${gap.cause}`);
  },
});
const samples: Sample[] = [];
let removed: number | null = null;
for (let minute = 0; minute <= minutes; minute++) {
  if (minute > 0) {
    if (removed !== null) await pipeline.cameras.add(camera(removed, 10), 'config');
    removed = 1 + (minute % (count - 1));
    await pipeline.cameras.remove(`cam${removed}`);
    await pipeline.cameras.add(camera(1 + ((minute + 1) % (count - 1)), minute % 2 ? 9 : 10), 'config');
  }
  await sleep(60);
  samples.push(sample(minute));
  console.error(JSON.stringify({ ...samples.at(-1), events }));
}
const states = pipeline.cameras.list().map(({ id, status }) => `${id} ${status?.state}`);
const summary = await pipeline.stop({ modelMs: 30_000, kafkaMs: 5_000 });
await simulator.stop();
await broker.stop();
const steady = samples.slice(1);
const rows = (
  ['rssMb', 'heapMb', 'files', 'handles', 'threads', 'children', 'childrenMb', 'oldestMb'] as const
).map((field) => ({
  field,
  first: steady[0]![field],
  last: steady.at(-1)![field],
  max: Math.max(...steady.map((sample) => sample[field])),
  slopePerMinute: slope(steady, field),
}));
console.log(JSON.stringify({ cameras: count, minutes, states, summary, gaps, rows }, null, 1));
process.exit(0);
