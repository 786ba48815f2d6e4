/** Load of one camera since its last sample. */
export interface Load {
  /** Share of the due frames that were dropped because a stage was too slow, 0…1. */
  readonly lost: number;
  /** Median age of the frames on arrival at the host, in milliseconds; null without frames. */
  readonly ageMs: number | null;
}

/** Load of the machine. */
interface HostLoad {
  /** CPU utilisation of all processors, 0…1. */
  readonly cpuBusy: number;
  /** The stages after the cameras cannot keep up. */
  readonly backpressure: boolean;
}

/** Shares of the frames that are analysed, by level of shedding. */
export const SHARES = [1, 3 / 4, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8] as const;

/** The load is high if either value is exceeded. */
const HIGH_LOAD = { lost: 0.1, ageMs: 1_000 };
/** The load is low if neither value is exceeded. */
const LOW_LOAD = { lost: 0.02, ageMs: 400 };
/** Consecutive updates with high load before the level rises: a single spike sheds nothing. */
const HIGH_UPDATES = 2;
/** CPU utilisation from which on one overloaded camera means an overloaded machine. */
const SATURATED_CPU = 0.95;
/** How long the load must be low before the level falls by one (recovery); each failed recovery doubles it. */
const RECOVER_AFTER_MS = 15_000;
const MAX_RECOVER_AFTER_MS = 300_000;
/** A recovery failed if the load is high within this time after it. */
const RECOVERY_FAILED_MS = 30_000;

type LoadGrade = 'high' | 'moderate' | 'low';

/**
 * Load shedding: decides which share of each camera's frames is analysed. When the machine is overloaded, all cameras
 * shed frames together, so that none starves. A camera that overloads only its own process sheds alone. Pure: time and
 * loads are passed in.
 */
export class SheddingPolicy {
  readonly #hostLevel = new LoadLevel();
  readonly #cameraLevels = new Map<string, LoadLevel>();

  /** Returns each camera's share. `now`: monotonic milliseconds. */
  update(now: number, loads: ReadonlyMap<string, Load>, host: HostLoad): Map<string, number> {
    for (const id of this.#cameraLevels.keys()) if (!loads.has(id)) this.#cameraLevels.delete(id);
    const grades = new Map([...loads].map(([id, load]) => [id, gradeLoad(load)]));
    const high = [...grades.values()].filter((grade) => grade === 'high').length;
    const hostOverloaded =
      (host.backpressure && loads.size > 0) ||
      (loads.size > 1 && high > 0 && (high > loads.size / 2 || host.cpuBusy >= SATURATED_CPU));
    const allLow = [...grades.values()].every((grade) => grade === 'low');
    this.#hostLevel.update(now, hostOverloaded ? 'high' : allLow ? 'low' : 'moderate');
    const shares = new Map<string, number>();
    for (const [id, grade] of grades) {
      const level = this.#cameraLevels.get(id) ?? new LoadLevel();
      this.#cameraLevels.set(id, level);
      level.update(now, hostOverloaded ? 'moderate' : grade);
      shares.set(id, SHARES[Math.max(this.#hostLevel.level, level.level)]!);
    }
    return shares;
  }
}

/** Level of shedding with hysteresis: an index of SHARES, 0 sheds nothing. It rises quickly and falls slowly. */
class LoadLevel {
  level = 0;
  #highUpdates = 0;
  #lowSince: number | null = null;
  #recoveredAt = Number.NEGATIVE_INFINITY;
  #recoverAfterMs = RECOVER_AFTER_MS;

  update(now: number, grade: LoadGrade): void {
    if (grade === 'low') this.#updateLow(now);
    else {
      this.#lowSince = null;
      this.#highUpdates = grade === 'high' ? this.#highUpdates + 1 : 0;
    }
    if (this.#highUpdates < HIGH_UPDATES) return;
    this.#highUpdates = 0;
    if (this.level === SHARES.length - 1) return;
    this.level += 1;
    if (now - this.#recoveredAt < RECOVERY_FAILED_MS)
      this.#recoverAfterMs = Math.min(2 * this.#recoverAfterMs, MAX_RECOVER_AFTER_MS);
  }

  #updateLow(now: number): void {
    this.#highUpdates = 0;
    this.#lowSince ??= now;
    const lowForMs = now - this.#lowSince;
    if (this.level === 0 && lowForMs >= MAX_RECOVER_AFTER_MS) this.#recoverAfterMs = RECOVER_AFTER_MS;
    if (this.level === 0 || lowForMs < this.#recoverAfterMs) return;
    this.level -= 1;
    this.#recoveredAt = this.#lowSince = now;
  }
}

function gradeLoad({ lost, ageMs }: Load): LoadGrade {
  if (lost > HIGH_LOAD.lost || (ageMs ?? 0) > HIGH_LOAD.ageMs) return 'high';
  return lost <= LOW_LOAD.lost && (ageMs ?? 0) <= LOW_LOAD.ageMs ? 'low' : 'moderate';
}
