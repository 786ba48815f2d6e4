import { CLOCK_STEP_MS, monotonicMs, wallOffsetMs } from '../../../clock.ts';
import type { Micros } from '../../../domain/frame.ts';
import type { IngestOptions } from '../../options.ts';
import type { ClockReport } from '../../protocol/messages.ts';
import type { PipelineElements } from '../pipeline-elements.ts';
import { CaptureClock } from './capture-clock.ts';
import { Drift } from './drift.ts';
import type { ClockReading, FrameClock } from './frame-clock.ts';
import { readUnixAtZero } from './rtcp-reader.ts';

/** How often the camera's clock is read. */
const POLL_MS = 200;
/** Frames must be late for this long to count as lagging: a single delay does not. */
const LAGGING_MS = 3_000;

/** Capture times of a live camera: by arrival, or by its RTCP sender reports. Follows steps of this host's clock. */
export class LiveClock implements FrameClock {
  readonly firstPts = 0;
  readonly #pipeline: Pick<PipelineElements, 'property'>;
  readonly #maxError: Micros;
  readonly #maxAge: Micros;
  #capture = new CaptureClock(0, 0);
  #drift = new Drift();
  #polledAt = 0;
  #lateSince: number | null = null;
  /** Wall clock minus monotonic clock, in milliseconds, when the newest frame was received. */
  #hostOffset = 0;

  constructor(
    pipeline: Pick<PipelineElements, 'property'>,
    { maxClockErrorSeconds, maxAgeSeconds }: Pick<IngestOptions, 'maxClockErrorSeconds' | 'maxAgeSeconds'>,
  ) {
    this.#pipeline = pipeline;
    this.#maxError = maxClockErrorSeconds * 1_000_000;
    this.#maxAge = maxAgeSeconds * 1_000_000;
  }

  start(zero: Micros): void {
    this.#capture = new CaptureClock(zero, this.#maxError);
    this.#hostOffset = wallOffsetMs();
  }

  get report(): ClockReport {
    const { error } = this.#capture;
    const { ppm } = this.#drift;
    return {
      clockErrorMs: error === null ? null : Math.round(error / 1000),
      driftPpm: ppm === null ? null : Math.round(ppm * 10) / 10,
    };
  }

  get lagging(): boolean {
    return this.#lateSince !== null && monotonicMs() - this.#lateSince > LAGGING_MS;
  }

  read(pts: Micros, receivedAt: Micros): ClockReading {
    const hostClockStepped = this.#followHostClock();
    this.#capture.observeArrival(pts, receivedAt);
    const late = this.#capture.lag(pts, receivedAt) > this.#maxAge;
    this.#lateSince = late ? (this.#lateSince ?? monotonicMs()) : null;
    this.#poll();
    const { source, generation } = this.#capture;
    return {
      ...this.#capture.captureTime(pts),
      generation: source === 'rtcp' ? generation : 0,
      hostClockStepped,
    };
  }

  beginEpoch(): void {
    this.#drift = new Drift();
  }

  /** Shifts arrival times if this host's clock was set; true if it was. */
  #followHostClock(): boolean {
    const offset = wallOffsetMs();
    const step = offset - this.#hostOffset;
    this.#hostOffset = offset;
    if (Math.abs(step) < CLOCK_STEP_MS) return false;
    this.#capture.hostClockStepped(step * 1000);
    this.#drift = new Drift();
    return true;
  }

  #poll(): void {
    const now = monotonicMs();
    if (now - this.#polledAt < POLL_MS) return;
    this.#polledAt = now;
    this.#drift.add(now * 1000, this.#capture.aheadOfHost);
    if (this.#maxError === 0) return;
    const zero = readUnixAtZero(this.#pipeline);
    if (zero !== null) this.#capture.addSample(zero);
  }
}
