import type { CameraOptions } from '../../camera/options.ts';
import { formatScheduleTime, isWatchedAt, nextChange } from '../../camera/schedule.ts';
import type { Pause } from './camera-lifecycle.ts';

/** Which cameras are paused, and why. An operator's pause lasts until an operator ends it, whatever the schedule says. */
export class Pauses {
  /** By camera id: through what the operator paused it. */
  readonly #byOperator = new Map<string, string>();
  /** By camera id: which other worker runs it. */
  readonly #superseded = new Map<string, string>();
  readonly #now: () => number;

  /** `now`: Unix milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * A camera was added, or its options changed. An operator's pause outlasts a change, unless it changes `paused` itself.
   */
  define({ id, paused = false }: CameraOptions, before: CameraOptions | undefined): void {
    if (paused === (before?.paused ?? false)) return;
    if (paused) this.pause(id, 'its configuration');
    else this.resume(id);
  }

  /** Returns false if an operator has paused it already. */
  pause(id: string, through: string): boolean {
    if (this.#byOperator.has(id)) return false;
    this.#byOperator.set(id, through);
    return true;
  }

  /** Returns false if no operator has paused it. */
  resume(id: string): boolean {
    return this.#byOperator.delete(id);
  }

  /** Another worker runs the camera, until `reclaim`. `detail`: one sentence for people. */
  yield(id: string, detail: string): void {
    this.#superseded.set(id, detail);
  }

  reclaim(id: string): void {
    this.#superseded.delete(id);
  }

  /** Why the camera is to be paused now; null: it is to be watched. */
  of({ id, schedule }: CameraOptions): Pause | null {
    const through = this.#byOperator.get(id);
    if (through !== undefined)
      return { cause: 'operator', detail: `paused by an operator through ${through}` };
    const superseded = this.#superseded.get(id);
    if (superseded !== undefined) return { cause: 'superseded', detail: superseded };
    if (schedule === undefined || isWatchedAt(schedule, this.#now())) return null;
    const until = nextChange(schedule, this.#now());
    const text = until === null ? '' : ` until ${formatScheduleTime(schedule, until)}`;
    return { cause: 'schedule', detail: `paused by its schedule${text}` };
  }
}
