/**
 * Chaos on many cameras for a long time; prints what happened, what must not have happened, and whether this process
 * grew.
 *
 *     node bench/ingest-chaos.ts [cameras] [seconds] [seed] [fps]
 */
import { runChaos } from '../test/ingest/chaos.ts';

/** A camera whose source is there again must be back after so many seconds. */
const SLOWEST_RETURN = 15;

const [cameras = 8, seconds = 600, seed = 1, fps = 25] = process.argv.slice(2).map(Number);
const sizes: number[] = [];
const sampler = setInterval(() => sizes.push(process.memoryUsage.rss() / 2 ** 20), 5_000);
const result = await runChaos({ cameras, seconds, seed, fps, log: (line) => console.error(line) });
clearInterval(sampler);

/** Least-squares slope of the second half, in MB a minute. What a run records of its frames grows as well. */
function slope(values: readonly number[]): number {
  const half = values.slice(values.length >> 1);
  const middle = (half.length - 1) / 2;
  const mean = half.reduce((sum, value) => sum + value, 0) / half.length;
  const top = half.reduce((sum, value, index) => sum + (index - middle) * (value - mean), 0);
  return (top / half.reduce((sum, _, index) => sum + (index - middle) ** 2, 0)) * 12;
}

console.log(
  JSON.stringify({
    cameras,
    seconds,
    seed,
    ...result,
    rssSlopeMbPerMinute: Math.round(slope(sizes) * 10) / 10,
  }),
);
process.exit(result.violations.length > 0 || result.slowestReturn > SLOWEST_RETURN ? 1 : 0);
