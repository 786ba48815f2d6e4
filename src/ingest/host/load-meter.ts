import { readFileSync } from 'node:fs';
import type { FrameCounts } from '../protocol/messages.ts';
import type { Load } from './shedding.ts';

/** Drops that show that something took too long. */
const SLOW = ['reader_slow', 'analysis_slow', 'host_slow', 'too_old'] as const;
/** Ages kept for one look, should nobody look. */
const MOST_AGES = 500;
/** Looks over which a camera's need of processor time is measured, once it is live. */
const WINDOW = 5;
/** sysconf(_SC_CLK_TCK) of every Linux. */
const TICKS_A_SECOND = 100;

interface Look {
  readonly at: number;
  readonly cpuSeconds: number;
  readonly analysed: number;
  readonly due: number;
}

/** Measures what one camera's process does and fails to do. */
export class LoadMeter {
  #counts: FrameCounts | null = null;
  /** Of the epochs so far, as of their last report. */
  #analysed = 0;
  #slow = 0;
  #shed = 0;
  #ages: number[] = [];
  #before = { analysed: 0, slow: 0 };
  #looks: Look[] = [];

  /** Counts since the epoch began. */
  report(counts: FrameCounts): void {
    const before = this.#counts && this.#counts.decoded <= counts.decoded ? this.#counts : null;
    this.#analysed += counts.analysed - (before?.analysed ?? 0);
    this.#slow += slowOf(counts) - (before ? slowOf(before) : 0);
    this.#shed += (counts.drops.overload ?? 0) - (before?.drops.overload ?? 0);
    this.#counts = counts;
  }

  /** A frame reached the host. */
  frame(ageMs: number): void {
    if (this.#ages.length < MOST_AGES) this.#ages.push(ageMs);
  }

  /** The process is another one, or does not play. */
  interrupted(): void {
    this.#counts = null;
    this.#looks = [];
  }

  /** The load since the last call; `now` in milliseconds. */
  take(now: number, pid: number | undefined): Load {
    const analysed = this.#analysed - this.#before.analysed;
    const slow = this.#slow - this.#before.slow;
    this.#before = { analysed: this.#analysed, slow: this.#slow };
    const ages = this.#ages.sort((a, b) => a - b);
    this.#ages = [];
    const cpuSeconds = pid === undefined ? null : cpuSecondsOf(pid);
    if (cpuSeconds !== null) {
      const due = this.#analysed + this.#slow + this.#shed;
      this.#looks.push({ at: now, cpuSeconds, analysed: this.#analysed, due });
      if (this.#looks.length > WINDOW + 1) this.#looks.shift();
    }
    return { lost: slow / Math.max(1, analysed + slow), ageMs: ages[ages.length >> 1] ?? null };
  }

  /**
   * Cores that this camera would use if every frame due were analysed, by what it used for those that were; null until
   * that was measured for a while.
   */
  get cores(): number | null {
    if (this.#looks.length <= WINDOW) return null;
    const [first, last] = [this.#looks[0]!, this.#looks.at(-1)!];
    const due = last.due - first.due;
    if (due === 0) return null;
    const used = (last.cpuSeconds - first.cpuSeconds) / ((last.at - first.at) / 1000);
    return (used * due) / Math.max(1, last.analysed - first.analysed);
  }
}

function slowOf({ drops }: FrameCounts): number {
  return SLOW.reduce((sum, cause) => sum + (drops[cause] ?? 0), 0);
}

/** Processor time of a process so far; null where that cannot be read. */
function cpuSecondsOf(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  } catch {
    return null;
  }
}
