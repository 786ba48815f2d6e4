/** How one camera fares since it was last asked. */
export interface Load {
  /** Part of the frames due for analysis that were lost because something took too long, 0…1. */
  readonly lost: number;
  /** Median age of frames when they reached the host, in milliseconds; null where none did. */
  readonly ageMs: number | null;
}

/** How the machine fares. */
export interface HostLoad {
  /** Part of all processors' time that was used, 0…1. */
  readonly busy: number;
  /** What comes after the cameras cannot keep up. */
  readonly behind: boolean;
}

/** Parts of the frames that are analysed, from all of them downwards. */
export const SHARES = [1, 3 / 4, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8] as const;

const HIGH = { lost: 0.1, ageMs: 1_000 };
const CALM = { lost: 0.02, ageMs: 400 };
/** A step down needs so many looks in a row that show too much load: a hiccup is none. */
const LOOKS = 2;
const SATURATED = 0.95;
/** Calm must last so long before a step up is tried; each try that failed doubles it. */
const PATIENCE_MS = 15_000;
const MOST_PATIENCE_MS = 300_000;
/** Load that comes back so soon after a step up came from it. */
const FAILED_MS = 30_000;

type Pressure = 'high' | 'middle' | 'calm';

/**
 * Decides what part of each camera's frames is analysed. When the machine as a whole is short of time, all cameras step
 * down together, so that none starves; a camera that alone is too much for its own process steps down alone. Pure:
 * time and loads come from outside.
 */
export class Shedding {
  readonly #all = new LoadLevel();
  readonly #own = new Map<string, LoadLevel>();

  /** `now`: milliseconds of a steady clock. Returns each camera's share. */
  next(now: number, loads: ReadonlyMap<string, Load>, host: HostLoad): Map<string, number> {
    for (const id of this.#own.keys()) if (!loads.has(id)) this.#own.delete(id);
    const pressures = new Map([...loads].map(([id, load]) => [id, pressureOf(load)]));
    const high = [...pressures.values()].filter((pressure) => pressure === 'high').length;
    const together =
      (host.behind && loads.size > 0) ||
      (loads.size > 1 && high > 0 && (high > loads.size / 2 || host.busy >= SATURATED));
    const calm = [...pressures.values()].every((pressure) => pressure === 'calm');
    this.#all.update(now, together ? 'high' : calm ? 'calm' : 'middle');
    const shares = new Map<string, number>();
    for (const [id, pressure] of pressures) {
      const own = this.#own.get(id) ?? new LoadLevel();
      this.#own.set(id, own);
      own.update(now, together ? 'middle' : pressure);
      shares.set(id, SHARES[Math.max(this.#all.level, own.level)]!);
    }
    return shares;
  }
}

/** One level that goes down quickly and comes back slowly. */
class LoadLevel {
  level = 0;
  #looks = 0;
  #calmSince: number | null = null;
  #raisedAt = Number.NEGATIVE_INFINITY;
  #patience = PATIENCE_MS;

  update(now: number, pressure: Pressure): void {
    if (pressure === 'calm') this.#calm(now);
    else {
      this.#calmSince = null;
      this.#looks = pressure === 'high' ? this.#looks + 1 : 0;
    }
    if (this.#looks < LOOKS) return;
    this.#looks = 0;
    if (this.level === SHARES.length - 1) return;
    this.level += 1;
    if (now - this.#raisedAt < FAILED_MS) this.#patience = Math.min(2 * this.#patience, MOST_PATIENCE_MS);
  }

  #calm(now: number): void {
    this.#looks = 0;
    this.#calmSince ??= now;
    const lasted = now - this.#calmSince;
    if (this.level === 0 && lasted >= MOST_PATIENCE_MS) this.#patience = PATIENCE_MS;
    if (this.level === 0 || lasted < this.#patience) return;
    this.level -= 1;
    this.#raisedAt = this.#calmSince = now;
  }
}

function pressureOf({ lost, ageMs }: Load): Pressure {
  if (lost > HIGH.lost || (ageMs ?? 0) > HIGH.ageMs) return 'high';
  return lost <= CALM.lost && (ageMs ?? 0) <= CALM.ageMs ? 'calm' : 'middle';
}
