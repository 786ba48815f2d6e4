import { CROP_BYTES } from '../../domain/face.ts';
import { type Architecture, embeddingSize, WINDOW_SIZE } from '../model/architecture.ts';
import { uniform } from '../weights/random-weights.ts';
import type { Engine } from './model.ts';

/** What a model costs on one engine of one host. Times are medians, in milliseconds. */
export interface Measurement {
  /** One run of the frame encoder, by its batch's size (crops). */
  readonly batches: readonly BatchTime[];
  /** What `infer.batch` should be here. */
  readonly batch: { readonly max: number; readonly deadlineMs: number };
  /** Crops embedded a second, in batches of `batch.max`. */
  readonly framesPerSecond: number;
  /** One hop of one face: `hop` crops embedded, the window's newest frames scored. */
  readonly hopMs: number;
  /** Processor time of a hop, all threads together: what a machine full of faces needs. */
  readonly hopCpuMs: number;
  /** The same scores without what is kept: 256 crops embedded, the whole window scored. */
  readonly fullMs: number;
}

export interface BatchTime {
  readonly crops: number;
  readonly ms: number;
}

const EMBED_BATCH = 64;
const BATCH_SIZES = [1, 4, 16, 64, 256];
/** Share of the best throughput that is as good as the best. */
const NEAR_BEST_SHARE = 0.9;

const throughput = ({ crops, ms }: BatchTime): number => crops / ms;

/**
 * The smallest batch that gives nearly the throughput of the best, and for its deadline the time that it runs: crops
 * wait for one run to end anyway, so company that takes no longer than a run to come is worth it, and more is lag.
 */
export function recommendBatch(batches: readonly BatchTime[]): Measurement['batch'] {
  const best = Math.max(...batches.map(throughput));
  const { crops, ms } = batches.find((one) => throughput(one) >= NEAR_BEST_SHARE * best)!;
  return { max: crops, deadlineMs: Math.ceil(ms) };
}

/** Runs each kind of work for about `seconds`, at least three times. */
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
    // Larger ones only take memory.
    if (throughput(batches.at(-1)!) < NEAR_BEST_SHARE * Math.max(...batches.map(throughput))) break;
  }
  const batch = recommendBatch(batches);
  const each = await medianCost(seconds, async () => {
    await embed(engine, pixels, hop);
    await engine.scoreNewest(window, 1);
  });
  const full = await medianCost(seconds, async () => {
    await embed(engine, pixels, WINDOW_SIZE);
    await engine.score(window, 1);
  });
  const { ms } = batches.find(({ crops }) => crops === batch.max)!;
  return {
    batches,
    batch,
    framesPerSecond: (1_000 * batch.max) / ms,
    hopMs: each.wall,
    hopCpuMs: each.cpu,
    fullMs: full.wall,
  };
}

async function embed(engine: Engine, pixels: Uint8Array, count: number): Promise<void> {
  for (let done = 0; done < count; done += EMBED_BATCH) {
    const n = Math.min(EMBED_BATCH, count - done);
    await engine.encode(pixels.subarray(0, n * CROP_BYTES), n);
  }
}

/** The first run, which pays for memory and code that later ones find ready, is left out. */
async function medianCost(
  seconds: number,
  work: () => Promise<unknown>,
): Promise<{ wall: number; cpu: number }> {
  await work();
  const wall: number[] = [];
  const cpu: number[] = [];
  const end = performance.now() + seconds * 1_000;
  while (wall.length < 3 || performance.now() < end) {
    const before = process.cpuUsage();
    const start = performance.now();
    await work();
    wall.push(performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1_000);
  }
  const middle = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;
  return { wall: middle(wall), cpu: middle(cpu) };
}
