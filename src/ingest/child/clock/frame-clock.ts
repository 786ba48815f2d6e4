import type { Micros } from '../../../domain/frame.ts';
import type { ClockReport } from '../../protocol/messages.ts';
import type { CaptureTime } from './capture-clock.ts';

/** The capture time of one frame, and whether it is continuous with the previous ones. */
export interface ClockReading extends CaptureTime {
  /** Counts the steps of the camera's clock; 0 while another clock is used. */
  readonly generation: number;
  /** This host's clock was set since the previous frame. */
  readonly hostClockStepped: boolean;
}

/** Turns the PTS of one pipeline's frames into capture times. */
export interface FrameClock {
  readonly report: ClockReport;
  /** True if frames have been late for several seconds. */
  readonly lagging: boolean;
  /** PTS of the first frame of a file; 0 for live sources. */
  readonly firstPts: Micros;
  /** `zero`: Unix microseconds at running time 0 on this host. */
  start(zero: Micros): void;
  /** Call it for every frame, in order. `receivedAt`: Unix microseconds on this host. */
  read(pts: Micros, receivedAt: Micros): ClockReading;
  /** A new epoch begins: restarts the drift measurement. */
  beginEpoch(): void;
}

/** Capture times of a file: its PTS, from 0. */
export class FileClock implements FrameClock {
  readonly report: ClockReport = { clockErrorMs: null, driftPpm: null };
  readonly lagging = false;
  #firstPts: Micros | null = null;

  get firstPts(): Micros {
    return this.#firstPts ?? 0;
  }

  start(): void {}

  read(pts: Micros): ClockReading {
    this.#firstPts ??= pts;
    return {
      captureTime: pts - this.#firstPts,
      clockSource: 'file',
      generation: 0,
      hostClockStepped: false,
    };
  }

  beginEpoch(): void {}
}
