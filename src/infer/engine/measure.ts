import { monotonicMs } from '../../clock.ts';
import { CROP_BYTES } from '../../domain/face.ts';
import { type Architecture, embeddingSize, WINDOW_SIZE } from '../model/architecture.ts';
import { uniform } from '../weights/random-weights.ts';
import type { Engine } from './model.ts';

/** Speed of a model on one engine of this host. Times are medians, in milliseconds. */
export interface Measurement {
  /** One run of the frame encoder by batch size (crops). */
  readonly batches: readonly BatchTime[];
  /** The recommended `infer.batch`. */
  readonly batch: { readonly max: number; readonly deadlineMs: number };
  /** Throughput of the frame encoder in crops per second, in batches of `batch.max`. */
  readonly framesPerSecond: number;
  /** One hop of one face: `hop` crops embedded, the newest `hop` frames of the window scored. */
  readonly hopMs: number;
  /** CPU time of a hop, all threads together; bounds how many faces a machine can process. */
  readonly hopCpuMs: number;
  /** The same scores without incremental inference: 256 crops embedded, the whole window scored. */
  readonly fullMs: number;
}

export interface BatchTime {
  readonly crops: number;
  readonly ms: number;
}

const EMBED_BATCH = 64;
const BATCH_SIZES = [1, 4, 16, 64, 256];
/** Share of the best throughput from which a batch size is good enough. */
const NEAR_BEST_SHARE = 0.9;

const throughput = ({ crops, ms }: BatchTime): number => crops / ms;

/**
 * The smallest batch within 10 % of the best throughput, and as its deadline the time of one run: crops wait for the
 * running batch anyway, so waiting that long for more crops adds little lag.
 */
export function recommendBatch(batches: readonly BatchTime[]): Measurement['batch'] {
  const best = Math.max(...batches.map(throughput));
  const { crops, ms } = batches.find((batch) => throughput(batch) >= NEAR_BEST_SHARE * best)!;
  return { max: crops, deadlineMs: Math.ceil(ms) };
}

/** Runs each workload for about `seconds`, at least three times. */
export async function measureEngine(
  engine: Engine,
  net: Architecture,
  { hop, seconds }: { hop: number; seconds: number },
): Promise<Measurement> {
  const pixels = Uint8Array.from(
    uniform('crops', Math.max(...BATCH_SIZES) * CROP_BYTES),
    (u) => 128 + u * 127,
  );
  const window = uniform('window', WINDOW_SIZE * embeddingSize(net));
  const batches: BatchTime[] = [];
  for (const crops of BATCH_SIZES) {
    const { wall } = await medianCost(seconds, () =>
      engine.encode(pixels.subarray(0, crops * CROP_BYTES), crops),
    );
    batches.push({ crops, ms: wall });
    // Past the best throughput, larger batches only take memory.
    if (throughput(batches.at(-1)!) < NEAR_BEST_SHARE * Math.max(...batches.map(throughput))) break;
  }
  const batch = recommendBatch(batches);
  const hopCost = await medianCost(seconds, async () => {
    await embed(engine, pixels, hop);
    await engine.scoreNewest(window, 1);
  });
  const fullCost = await medianCost(seconds, async () => {
    await embed(engine, pixels, WINDOW_SIZE);
    await engine.score(window, 1);
  });
  const { ms } = batches.find(({ crops }) => crops === batch.max)!;
  return {
    batches,
    batch,
    framesPerSecond: (1_000 * batch.max) / ms,
    hopMs: hopCost.wall,
    hopCpuMs: hopCost.cpu,
    fullMs: fullCost.wall,
  };
}

async function embed(engine: Engine, pixels: Uint8Array, count: number): Promise<void> {
  for (let done = 0; done < count; done += EMBED_BATCH) {
    const n = Math.min(EMBED_BATCH, count - done);
    await engine.encode(pixels.subarray(0, n * CROP_BYTES), n);
  }
}

/** Median wall-clock and CPU time in ms. The first run is a warm-up and does not count. */
async function medianCost(
  seconds: number,
  work: () => Promise<unknown>,
): Promise<{ wall: number; cpu: number }> {
  await work();
  const wall: number[] = [];
  const cpu: number[] = [];
  const end = monotonicMs() + seconds * 1_000;
  while (wall.length < 3 || monotonicMs() < end) {
    const before = process.cpuUsage();
    const start = monotonicMs();
    await work();
    wall.push(monotonicMs() - start);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1_000);
  }
  const medianOf = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;
  return { wall: medianOf(wall), cpu: medianOf(cpu) };
}
