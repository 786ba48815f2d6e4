import type { Micros } from '../../domain/frame.ts';
import type { EpochCause } from '../protocol/messages.ts';
import type { ClockReading } from './clock/frame-clock.ts';

/** Capture times that go back by more than this are a step of the clock, not jitter. */
const BACKWARDS: Micros = 500_000;

/**
 * Decides when an epoch begins and why, numbers it, and keeps its capture times strictly increasing. Epochs are numbered
 * upwards from the one that the host has chosen (`domain/epoch.ts`), those of files 0, 1, 2 …
 */
export class Epochs {
  readonly #live: boolean;
  #number: number;
  /** Why the next frame begins an epoch; the first cause found wins. */
  #pendingCause: EpochCause | null = 'first_frame';
  /** Clock of the previous frame. */
  #clock: Pick<ClockReading, 'clockSource' | 'generation'> | null = null;
  #lastCaptureTime: Micros | null = null;

  /** Epochs are numbered above `lastEpoch`. */
  constructor(lastEpoch: number, live: boolean) {
    this.#number = lastEpoch;
    this.#live = live;
  }

  /** Number of the current epoch. */
  get number(): number {
    return this.#number;
  }

  /** Why the frame that was just observed begins an epoch; null if it continues the current one. */
  get pendingCause(): EpochCause | null {
    return this.#pendingCause;
  }

  formatChanged(): void {
    this.#pendingCause ??= 'format_changed';
  }

  /** Compares the frame's clock with that of the previous frame. Files have a single clock. */
  observeClock({ captureTime, clockSource, generation, hostClockStepped }: ClockReading): void {
    if (!this.#live) return;
    const previous = this.#clock;
    this.#clock = { clockSource, generation };
    if (previous !== null && previous.clockSource !== clockSource)
      this.#pendingCause ??= 'clock_source_changed';
    else if (previous !== null && previous.generation !== generation) this.#pendingCause ??= 'clock_stepped';
    if (hostClockStepped && clockSource === 'arrival') this.#pendingCause ??= 'clock_stepped';
    if (this.#lastCaptureTime !== null && captureTime < this.#lastCaptureTime - BACKWARDS)
      this.#pendingCause ??= 'clock_stepped';
  }

  /** Begins the pending epoch. */
  begin(): void {
    this.#pendingCause = null;
    this.#lastCaptureTime = null;
    this.#number += 1;
  }

  /** The capture time of the epoch's next frame, at least 1 µs after the one before. */
  advance(captureTime: Micros): Micros {
    const last = this.#lastCaptureTime;
    this.#lastCaptureTime = last === null ? captureTime : Math.max(captureTime, last + 1);
    return this.#lastCaptureTime;
  }
}
