import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { AustreamError } from '../../src/errors.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import type { FuzzTarget } from './target.ts';

/** Far above what any input of at most 128 KiB may take, also on a busy machine. */
const MAX_SECONDS = 20;
/** Memory that a target may keep after all its inputs. */
const MAX_GROWTH_BYTES = 128 << 20;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

export interface Finding {
  /** Number of the mutation; negative for a seed. */
  readonly index: number;
  readonly problem: string;
  readonly input: Buffer;
}

/** Runs the seeds, then `count` mutations of them. The same `seed` gives the same mutations. */
export async function fuzz(target: FuzzTarget, count: number, seed = 24): Promise<Finding[]> {
  const findings: Finding[] = [];
  const attempt = async (index: number, input: Buffer) => {
    const problem = await problemOf(target, input);
    if (problem !== null) findings.push({ index, problem, input });
  };
  for (const [index, input] of target.seeds.entries()) await attempt(index - target.seeds.length, input);
  collectGarbage();
  const before = usedBytes();
  for (let index = 0; index < count && findings.length < 5; index++)
    await attempt(index, mutate(target, new Random(seed + index * 7919)));
  collectGarbage();
  const growth = usedBytes() - before;
  if (growth > MAX_GROWTH_BYTES)
    findings.push({ index: count, problem: `${growth >> 20} MiB are kept`, input: Buffer.alloc(0) });
  if ('polluted' in {})
    findings.push({ index: count, problem: 'Object.prototype is polluted', input: Buffer.alloc(0) });
  return findings;
}

/** Why an input is a finding; null if it was accepted, or refused with an AustreamError. */
async function problemOf(target: FuzzTarget, input: Buffer): Promise<string | null> {
  const begin = performance.now();
  let problem: string | null = null;
  try {
    await target.run(input);
  } catch (error) {
    if (!(error instanceof AustreamError))
      problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const seconds = (performance.now() - begin) / 1000;
  return problem ?? (seconds > MAX_SECONDS ? `${seconds.toFixed(1)} s` : null);
}

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
