import { CROP_BYTES } from '../../domain.ts';
import { type Architecture, embeddingSize, WINDOW_SIZE } from '../model/architecture.ts';
import { uniform } from '../weights/random.ts';
import type { Engine } from './model.ts';

/** What a model costs on one engine of one host. Times are medians, in milliseconds. */
export interface Measurement {
  /** Crops embedded a second, in full batches. */
  readonly framesPerSecond: number;
  /** One hop of one face: `hop` crops embedded, the window's newest frames scored. */
  readonly hopMs: number;
  /** Processor time of a hop, all threads together: what a machine full of faces needs. */
  readonly hopCpuMs: number;
  /** The same scores without what is kept: 256 crops embedded, the whole window scored. */
  readonly fullMs: number;
}

const BATCH_SIZE = 64;

/** Runs each kind of work for about `seconds`, at least three times. */
export async function measure(
  engine: Engine,
  net: Architecture,
  { hop, seconds }: { hop: number; seconds: number },
): Promise<Measurement> {
  const pixels = Uint8Array.from(uniform('crops', BATCH_SIZE * CROP_BYTES), (u) => 128 + u * 127);
  const window = uniform('window', WINDOW_SIZE * embeddingSize(net));
  const batch = await median(seconds, () => engine.encode(pixels, BATCH_SIZE));
  const each = await median(seconds, async () => {
    await embed(engine, pixels, hop);
    await engine.scoreNewest(window, 1);
  });
  const full = await median(seconds, async () => {
    await embed(engine, pixels, WINDOW_SIZE);
    await engine.score(window, 1);
  });
  return {
    framesPerSecond: (1_000 * BATCH_SIZE) / batch.wall,
    hopMs: each.wall,
    hopCpuMs: each.cpu,
    fullMs: full.wall,
  };
}

async function embed(engine: Engine, pixels: Uint8Array, count: number): Promise<void> {
  for (let done = 0; done < count; done += BATCH_SIZE) {
    const n = Math.min(BATCH_SIZE, count - done);
    await engine.encode(pixels.subarray(0, n * CROP_BYTES), n);
  }
}

/** The first run, which pays for memory and code that later ones find ready, is left out. */
async function median(seconds: number, work: () => Promise<unknown>): Promise<{ wall: number; cpu: number }> {
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
