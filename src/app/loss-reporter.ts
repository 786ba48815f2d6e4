import { type LossKind, lossKind } from '../domain/loss-cause.ts';
import type { Say } from './say.ts';

/** One line per cause and minute. */
const REPEAT_MS = 60_000;
/** Cameras that a line names. */
const MAX_NAMED = 5;

const WHAT: Readonly<Record<LossKind, string>> = {
  wanted: 'frames left out as configured',
  frames: 'frames of live cameras left out before analysis',
  crops: 'crops of live cameras left out before scoring',
  lost: 'events or crops lost',
};

interface Tally {
  total: number;
  /** Not told yet, by camera. */
  readonly untold: Map<string, number>;
  toldAt: number;
}

/** Tells about losses: the first of a cause at once, later ones each minute with their count. */
export class LossReporter {
  readonly #say: Say;
  readonly #tallies = new Map<string, Tally>();

  constructor(say: Say) {
    this.#say = say;
  }

  add(cameraId: string, count: number, cause: string): void {
    let tally = this.#tallies.get(cause);
    if (!tally) {
      tally = { total: 0, untold: new Map(), toldAt: Number.NEGATIVE_INFINITY };
      this.#tallies.set(cause, tally);
    }
    tally.total += count;
    tally.untold.set(cameraId, (tally.untold.get(cameraId) ?? 0) + count);
  }

  /** Total by cause. */
  get totals(): Readonly<Record<string, number>> {
    return Object.fromEntries(Array.from(this.#tallies, ([cause, { total }]) => [cause, total]));
  }

  /** Tells what is due. `now`: monotonic, ms. */
  report(now: number): void {
    for (const [cause, tally] of this.#tallies)
      if (tally.untold.size > 0 && now - tally.toldAt >= REPEAT_MS) this.#tell(cause, tally, now);
  }

  /** Tells everything that was not told yet, at the end of the process. */
  finish(): void {
    for (const [cause, tally] of this.#tallies) if (tally.untold.size > 0) this.#tell(cause, tally, 0);
  }

  #tell(cause: string, tally: Tally, now: number): void {
    const kind = lossKind(cause);
    const count = [...tally.untold.values()].reduce((sum, lost) => sum + lost, 0);
    const cameras = [...tally.untold.keys()];
    const named = cameras.slice(0, MAX_NAMED).join(', ');
    const more = cameras.length > MAX_NAMED ? ` and ${cameras.length - MAX_NAMED} more` : '';
    const inAll = tally.total > count ? `, ${tally.total} in all` : '';
    this.#say(
      kind === 'frames' ? 'info' : 'warn',
      { cause, count, total: tally.total },
      `${count} ${WHAT[kind]}: ${cause} (${named}${more})${inAll}`,
    );
    tally.untold.clear();
    tally.toldAt = now;
  }
}
