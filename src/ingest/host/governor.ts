import { availableParallelism, cpus } from 'node:os';
import { monotonicMs } from '../../clock.ts';
import type { IngestOptions } from '../options.ts';
import { Admission } from './admission.ts';
import { type Load, SheddingPolicy } from './shedding-policy.ts';

/** Interval at which loads are measured and shares are set. */
const UPDATE_MS = 2_000;

/** A running live camera, as the governor sees it. */
export interface GovernedCamera {
  /** The load since the last call; null while the camera delivers no frames. `now`: monotonic milliseconds. */
  sampleLoad(now: number): Load | null;
  /** Cores to analyse every frame; null while not measured. */
  readonly coresNeeded: number | null;
  /** Sets the share of frames to analyse, 0…1. */
  throttle(share: number): void;
}

/** Load shedding and admission control for the live cameras of this machine. */
export class Governor {
  readonly #running = new Map<string, GovernedCamera>();
  readonly #shedding = new SheddingPolicy();
  readonly #admission: Admission;
  readonly #hasBackpressure: () => boolean;
  readonly #onCapacityFreed: () => void;
  readonly #timer: NodeJS.Timeout;
  #cpuTimes = readCpuTimes();

  /**
   * `hasBackpressure`: true while the stages after the cameras cannot keep up. `onCapacityFreed` is called whenever a
   * refused camera may be admitted.
   */
  constructor(options: IngestOptions, hasBackpressure: () => boolean, onCapacityFreed: () => void) {
    this.#admission = new Admission(options, availableParallelism());
    this.#hasBackpressure = hasBackpressure;
    this.#onCapacityFreed = onCapacityFreed;
    this.#timer = setInterval(() => this.#update(), UPDATE_MS);
    this.#timer.unref();
  }

  /** Returns why one more camera is refused; null admits it. */
  refusal(): string | null {
    return this.#admission.refusal([...this.#running.values()].map(({ coresNeeded }) => coresNeeded));
  }

  add(id: string, camera: GovernedCamera): void {
    this.#running.set(id, camera);
  }

  remove(id: string): void {
    if (this.#running.delete(id)) this.#onCapacityFreed();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #update(): void {
    const now = monotonicMs();
    const loads = new Map<string, Load>();
    for (const [id, camera] of this.#running) {
      const load = camera.sampleLoad(now);
      if (load !== null) loads.set(id, load);
    }
    const before = this.#cpuTimes;
    this.#cpuTimes = readCpuTimes();
    const cpuBusy = (this.#cpuTimes.busy - before.busy) / Math.max(1, this.#cpuTimes.all - before.all);
    for (const [id, share] of this.#shedding.update(now, loads, {
      cpuBusy,
      backpressure: this.#hasBackpressure(),
    }))
      this.#running.get(id)?.throttle(share);
    this.#onCapacityFreed();
  }
}

/** CPU time of all processors since boot, in milliseconds. */
function readCpuTimes(): { busy: number; all: number } {
  let [busy, all] = [0, 0];
  for (const { times } of cpus()) {
    const total = times.user + times.nice + times.sys + times.idle + times.irq;
    all += total;
    busy += total - times.idle;
  }
  return { busy, all };
}
