import { readFileSync } from 'node:fs';
import type { FrameCounts } from '../protocol/messages.ts';
import type { Load } from './shedding-policy.ts';

/** Causes of drops that mean that a stage was too slow. */
const TOO_SLOW_CAUSES = ['reader_slow', 'analysis_slow', 'host_slow', 'too_old'] as const;
/** Bound on the ages kept between two samples. */
const MAX_AGES = 500;
/** Sampling intervals over which the CPU time is measured. */
const WINDOW_SAMPLES = 5;
/** Linux: sysconf(_SC_CLK_TCK). */
const TICKS_PER_SECOND = 100;

/** Totals at one moment. */
interface Sample {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly cpuSeconds: number;
  readonly analysed: number;
  /** Frames analysed, shed, or dropped because a stage was too slow. */
  readonly due: number;
}

/** Measures one camera's load: frames analysed and lost, their age, and the CPU time of its child. */
export class LoadMeter {
  /** The newest report of the current epoch. */
  #counts: FrameCounts | null = null;
  /** Totals over all epochs. */
  #analysed = 0;
  #slow = 0;
  #shed = 0;
  /** Milliseconds, since the last sample. */
  #ages: number[] = [];
  /** Totals at the last sample. */
  #sampledTotals = { analysed: 0, slow: 0 };
  #samples: Sample[] = [];

  /** `counts`: since the epoch began. Fewer decoded frames than before mean a new epoch. */
  report(counts: FrameCounts): void {
    const before = this.#counts && this.#counts.decoded <= counts.decoded ? this.#counts : null;
    this.#analysed += counts.analysed - (before?.analysed ?? 0);
    this.#slow += tooSlowDrops(counts) - (before ? tooSlowDrops(before) : 0);
    this.#shed += (counts.drops.overload ?? 0) - (before?.drops.overload ?? 0);
    this.#counts = counts;
  }

  /** A frame of this age reached the host. */
  frame(ageMs: number): void {
    if (this.#ages.length < MAX_AGES) this.#ages.push(ageMs);
  }

  /** The child is gone: its counts and CPU time end. */
  reset(): void {
    this.#counts = null;
    this.#samples = [];
  }

  /** The load since the last call. `now`: monotonic milliseconds. `pid`: the child to measure, if any. */
  sample(now: number, pid: number | undefined): Load {
    const analysed = this.#analysed - this.#sampledTotals.analysed;
    const slow = this.#slow - this.#sampledTotals.slow;
    this.#sampledTotals = { analysed: this.#analysed, slow: this.#slow };
    const ages = this.#ages.sort((a, b) => a - b);
    this.#ages = [];
    const cpuSeconds = pid === undefined ? null : readCpuSeconds(pid);
    if (cpuSeconds !== null) {
      const due = this.#analysed + this.#slow + this.#shed;
      this.#samples.push({ at: now, cpuSeconds, analysed: this.#analysed, due });
      if (this.#samples.length > WINDOW_SAMPLES + 1) this.#samples.shift();
    }
    return { lost: slow / Math.max(1, analysed + slow), ageMs: ages[ages.length >> 1] ?? null };
  }

  /**
   * Cores that analysing every due frame would take, extrapolated from the frames analysed; null until the window is
   * full.
   */
  get coresNeeded(): number | null {
    if (this.#samples.length <= WINDOW_SAMPLES) return null;
    const [first, last] = [this.#samples[0]!, this.#samples.at(-1)!];
    const due = last.due - first.due;
    if (due === 0) return null;
    const used = (last.cpuSeconds - first.cpuSeconds) / ((last.at - first.at) / 1000);
    return (used * due) / Math.max(1, last.analysed - first.analysed);
  }
}

function tooSlowDrops({ drops }: FrameCounts): number {
  return TOO_SLOW_CAUSES.reduce((sum, cause) => sum + (drops[cause] ?? 0), 0);
}

/** CPU time of a process since its start (proc(5): utime + stime); null if it cannot be read. */
function readCpuSeconds(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}
