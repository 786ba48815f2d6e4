import { seededRandom } from '../random.ts';
import { EventQueue } from './event-queue.ts';
import { CROP_RECORD_BYTES, type Deployment, EVENT_BYTES, type ServiceTimes } from './times.ts';

interface Prediction {
  /** From capture until the event is readable, over all frames of the busiest workers, seconds. */
  readonly lag: { readonly p50: number; readonly p99: number };
  /** Utilisation of the busiest ingest worker's cores, and of the busiest inference worker's device, 0…1. */
  readonly ingestLoad: number;
  readonly deviceLoad: number;
  /** Utilisation of the single thread that feeds that device, 0…1. */
  readonly hostLoad: number;
  /** CPU cores used by all workers together. */
  readonly processors: number;
  readonly kafkaMegabytes: number;
  readonly transactions: number;
  /** Faces of the busiest inference worker, relative to an even share. */
  readonly imbalance: number;
}

const SECONDS = 60;
const WINDOWS_PER_RUN = 8;

/**
 * Discrete-event simulation of the busiest ingest worker and the busiest inference worker. Workers share only Kafka, so
 * all others have less lag. A face produces a record every `hop` frames; records wait for the device, for a full batch,
 * and for their partition's next transaction.
 */
export function simulate(d: Deployment, t: ServiceTimes, seed = 1): Prediction {
  const random = seededRandom(seed);
  const faces = Math.round(d.cameras * d.facesPerCamera);
  const perPartition = spread(faces, d.partitions, random);
  const perWorker = Array.from({ length: d.inferWorkers }, () => [] as number[]);
  for (const [partition, count] of perPartition.entries()) perWorker[partition % d.inferWorkers]!.push(count);
  const busiest = perWorker.reduce((a, b) => (sum(b) > sum(a) ? b : a));
  // `austream cameras add` fills partitions evenly; faces are spread by their hash.
  const camerasPerWorker = Math.ceil(d.cameras / d.ingestWorkers);
  const ingest = simulateIngest(camerasPerWorker, d, t, random);
  const infer = simulateInfer(busiest, ingest.delays, d, t, random);
  const cropRate = faces * d.fps;
  const cameraWork = d.cameras * (d.cameraFps * t.decode + d.fps * t.analyse);
  const cropWork = cropRate * (t.analyseFace + t.ingestCrop + t.inferCrop);
  const deviceWork = cropRate * infer.devicePerCrop;
  return {
    lag: infer.lag,
    ingestLoad: ingest.load,
    deviceLoad: infer.load,
    hostLoad: sum(busiest) * d.fps * t.inferCrop,
    processors: cameraWork + cropWork + deviceWork,
    kafkaMegabytes: (cropRate * (CROP_RECORD_BYTES + EVENT_BYTES)) / 1e6,
    transactions: Math.min(d.partitions / (d.commitEvery + t.transaction), (faces * d.fps) / d.hop),
    imbalance: sum(busiest) / (faces / d.inferWorkers),
  };
}

/** Processes the frames of one worker's cameras on its cores, first come, first served. Returns the delay of each. */
function simulateIngest(cameras: number, d: Deployment, t: ServiceTimes, random: () => number) {
  const work =
    t.decode * (d.cameraFps / d.fps) + t.analyse + d.facesPerCamera * (t.analyseFace + t.ingestCrop);
  const cores = new Float64Array(d.ingestCores);
  const arrivals: number[] = [];
  for (let camera = 0; camera < cameras; camera += 1)
    for (let at = random() / d.fps; at < SECONDS; at += 1 / d.fps) arrivals.push(at);
  arrivals.sort((a, b) => a - b);
  const delays = arrivals.map((at) => {
    const core = cores.indexOf(Math.min(...cores));
    const begin = Math.max(at, cores[core]!);
    // Work differs between frames: half of it is constant, the other half exponentially distributed.
    cores[core] = begin + work * (0.5 + 0.5 * -Math.log(1 - random()));
    return cores[core]! - at;
  });
  return { delays, load: (cameras * d.fps * work) / d.ingestCores };
}

interface Arrival {
  readonly at: number;
  /** When the hop's newest frame was captured. */
  readonly captured: number;
  readonly partition: number;
}

function simulateInfer(
  faces: readonly number[],
  ingestDelays: readonly number[],
  d: Deployment,
  t: ServiceTimes,
  random: () => number,
) {
  const period = d.hop / d.fps;
  const events = new EventQueue<Arrival>();
  faces.forEach((count, partition) => {
    for (let face = 0; face < count; face += 1)
      for (let captured = random() * period; captured < SECONDS; captured += period) {
        const delay = ingestDelays[Math.floor(random() * ingestDelays.length)] ?? 0;
        events.add({ at: captured + delay + t.produce, captured, partition });
      }
  });
  const lags: number[] = [];
  const transactions = faces.map(() => ({ begin: -1, end: -1 }));
  let free = 0;
  let busy = 0;
  let crops = 0;
  for (let first = events.pop(); first; first = events.pop()) {
    const batch = [first];
    // A batch starts when the device is free and the batch is full or its deadline has passed.
    const begin = () =>
      Math.max(free, batch.length * d.hop >= d.batchMax ? batch.at(-1)!.at : first.at + d.batchDeadline);
    while (batch.length * d.hop < d.batchMax && (events.peek()?.at ?? Number.POSITIVE_INFINITY) <= begin())
      batch.push(events.pop()!);
    const n = batch.length * d.hop;
    const windows = batch.length;
    const service =
      t.encodeRun * Math.ceil(n / d.batchMax) +
      t.encodeCrop * n +
      t.scoreRun * Math.ceil(windows / WINDOWS_PER_RUN) +
      t.scoreWindow * windows;
    free = begin() + service;
    busy += service;
    crops += n;
    for (const { captured, partition } of batch) {
      const next = transactions[partition]!;
      // Joins the partition's next transaction unless that has already begun.
      if (free > next.begin) {
        next.begin = Math.max(free, next.end, next.begin + d.commitEvery);
        next.end = next.begin + t.transaction;
      }
      const commit = next.end;
      if (captured < SECONDS / 6) continue;
      for (let frame = 0; frame < d.hop; frame += 1) lags.push(commit - captured + frame / d.fps);
    }
  }
  lags.sort((a, b) => a - b);
  const at = (q: number) => lags[Math.floor(q * lags.length)] ?? Number.NaN;
  return {
    lag: { p50: at(0.5), p99: at(0.99) },
    load: busy / SECONDS,
    devicePerCrop: crops === 0 ? 0 : busy / crops,
  };
}

/** Number of keys in each partition, distributed at random as by their hash. */
function spread(keys: number, partitions: number, random: () => number): number[] {
  const counts = new Array<number>(partitions).fill(0);
  for (let key = 0; key < keys; key += 1) counts[Math.floor(random() * partitions)]! += 1;
  return counts;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
