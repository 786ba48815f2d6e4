import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in /proc, on every Linux there is. */
const TICKS = 100;

/** Seconds of processor time that a process has used so far; with `tree`, it and those below it that still run. */
export function processorSeconds(pid: number, tree = false): number {
  // pid (name, which may hold blanks and parentheses) state ppid … utime is the 14th field, stime the 15th.
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) / TICKS;
  return tree ? childrenOf(pid).reduce((sum, child) => sum + processorSeconds(child, true), own) : own;
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** The q-quantile of numbers, or NaN where there are none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
