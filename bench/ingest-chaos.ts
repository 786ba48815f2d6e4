/**
 * Injects random faults into many cameras for a long time. Prints the faults, violated invariants, and the memory growth
 * of this process. Exits with 1 on a violation or a slow recovery.
 *
 *     node bench/ingest-chaos.ts [cameras] [seconds] [seed] [fps]
 */
import { runChaos } from '../test/ingest/chaos.ts';

/** Longest time that a camera may take to recover once its source is back, seconds. */
const MAX_RECOVERY_SECONDS = 15;

const [cameras = 8, seconds = 600, seed = 1, fps = 25] = process.argv.slice(2).map(Number);
const sizes: number[] = [];
const sampler = setInterval(() => sizes.push(process.memoryUsage.rss() / 2 ** 20), 5_000);
const result = await runChaos({ cameras, seconds, seed, fps, log: (line) => console.error(line) });
clearInterval(sampler);

/** Least-squares slope over the second half of samples taken every 5 s, MB per minute. Includes the frames that the run records. */
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
process.exit(result.violations.length > 0 || result.slowestRecovery > MAX_RECOVERY_SECONDS ? 1 : 0);
