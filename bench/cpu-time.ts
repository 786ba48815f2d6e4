import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: clock ticks per second in /proc. */
const TICKS_PER_SECOND = 100;

/** CPU seconds that a process has used so far; with `tree`, including its running descendants. */
export function cpuSeconds(pid: number, tree = false): number {
  // Fields: pid (name) state ppid …; utime is the 14th, stime the 15th. The name may contain blanks and parentheses.
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  return tree ? childrenOf(pid).reduce((sum, child) => sum + cpuSeconds(child, true), own) : own;
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** The q-quantile of the values; NaN if there are none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
