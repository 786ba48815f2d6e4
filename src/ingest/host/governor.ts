import { availableParallelism, cpus } from 'node:os';
import type { IngestOptions } from '../options.ts';
import { Admission } from './admission.ts';
import { type Load, Shedding } from './shedding.ts';

const LOOK_MS = 2_000;

/** What it governs: a live camera that runs. */
export interface Governed {
  /** Null while the camera gives no frames. */
  takeLoad(now: number): Load | null;
  readonly coresNeeded: number | null;
  pace(share: number): void;
}

/** Shares out this machine among the live cameras: looks at how they fare, sheds frames, says who is one too many. */
export class Governor {
  readonly #running = new Map<string, Governed>();
  readonly #shedding = new Shedding();
  readonly #admission: Admission;
  readonly #behind: () => boolean;
  readonly #roomAgain: () => void;
  readonly #timer: NodeJS.Timeout;
  #times = processorTimes();

  /**
   * `behind`: what comes after the cameras cannot keep up. `roomAgain` is called whenever there may be room for a camera
   * that was refused.
   */
  constructor(options: IngestOptions, behind: () => boolean, roomAgain: () => void) {
    this.#admission = new Admission(options, availableParallelism());
    this.#behind = behind;
    this.#roomAgain = roomAgain;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Why this machine has no room for one more camera; null where it has. */
  refusal(): string | null {
    return this.#admission.refusal([...this.#running.values()].map(({ coresNeeded }) => coresNeeded));
  }

  add(id: string, camera: Governed): void {
    this.#running.set(id, camera);
  }

  remove(id: string): void {
    if (this.#running.delete(id)) this.#roomAgain();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const loads = new Map<string, Load>();
    for (const [id, camera] of this.#running) {
      const load = camera.takeLoad(now);
      if (load !== null) loads.set(id, load);
    }
    const before = this.#times;
    this.#times = processorTimes();
    const busy = (this.#times.busy - before.busy) / Math.max(1, this.#times.all - before.all);
    for (const [id, share] of this.#shedding.next(now, loads, { busy, behind: this.#behind() }))
      this.#running.get(id)?.pace(share);
    this.#roomAgain();
  }
}

/** Of all processors so far, in milliseconds. */
function processorTimes(): { busy: number; all: number } {
  let [busy, all] = [0, 0];
  for (const { times } of cpus()) {
    const total = times.user + times.nice + times.sys + times.idle + times.irq;
    all += total;
    busy += total - times.idle;
  }
  return { busy, all };
}
