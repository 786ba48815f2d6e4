import type { ClockSource, Micros } from '../../../domain/frame.ts';

/** Readings of the camera's clock whose median is used, so that a single torn or late reading has no effect. */
const SAMPLES = 5;
/** The fastest arrival is searched over windows of this length. */
const ARRIVAL_WINDOW: Micros = 10_000_000;
/** Arrival times are corrected by at most this fraction of the elapsed time: a rate, never a jump. */
const SLEW = 0.005;
/** A reading of the camera's clock that differs by more than this is a step: the clock was set. */
const STEP: Micros = 500_000;

export interface CaptureTime {
  readonly captureTime: Micros;
  readonly clockSource: ClockSource;
}

/**
 * Turns PTS (running times) of one pipeline into capture times. A live source begins with arrival times; once the
 * camera's sender reports are known and its clock error is at most `maxError`, the camera's own clock is used. The
 * caller begins a new epoch when `source` or `generation` changes: capture times are not continuous there.
 */
export class CaptureClock {
  /** Unix microseconds at running time 0, by arrival. */
  #arrivalZero: Micros;
  readonly #maxError: Micros;
  #samples: Micros[] = [];
  /** Consecutive readings far from the known clock: a step if there are enough of them. */
  #outliers: Micros[] = [];
  /** Unix microseconds at running time 0, by the camera's clock. */
  #cameraZero: Micros | null = null;
  /** Lowest age of a frame on arrival, by the camera's clock; includes the clock error. */
  #minimumAge = Number.POSITIVE_INFINITY;
  #generation = 0;
  #windowEnd: Micros | null = null;
  /** Fastest arrival of the current window, relative to `#arrivalZero`. */
  #fastestArrival = Number.POSITIVE_INFINITY;
  /** The part of the correction of `#arrivalZero` that is not applied yet. */
  #correction: Micros = 0;
  #lastPts: Micros | null = null;

  /** `arrivalZero`: Unix microseconds at running time 0 on this host. */
  constructor(arrivalZero: Micros, maxError: Micros) {
    this.#arrivalZero = arrivalZero;
    this.#maxError = maxError;
  }

  get source(): Exclude<ClockSource, 'file'> {
    return this.#cameraZero !== null && Math.abs(this.error!) <= this.#maxError ? 'rtcp' : 'arrival';
  }

  /** Counts the steps of the camera's clock. */
  get generation(): number {
    return this.#generation;
  }

  /** Camera clock minus host clock, network delay included; null while unknown. */
  get error(): Micros | null {
    return this.#cameraZero === null ? null : this.#cameraZero - this.#arrivalZero;
  }

  /**
   * Clock used for capture times minus host clock, for measuring drift. With `arrival` the clock is the stream's PTS,
   * and only changes of this value are meaningful.
   */
  get aheadOfHost(): Micros {
    return this.source === 'rtcp' ? this.error! : -this.#arrivalZero;
  }

  /**
   * How much later than the fastest frames this one was received. Where PTS and camera clock disagree, the smaller lag
   * counts: if RTP time runs slow, all frames seem to arrive later and later, but the sender reports show it.
   */
  lag(pts: Micros, receivedAt: Micros): Micros {
    const byArrival = receivedAt - pts - this.#arrivalZero;
    if (this.#cameraZero === null) return byArrival;
    return Math.min(byArrival, receivedAt - pts - this.#cameraZero - this.#minimumAge);
  }

  /** This host's clock was set; a negative `step` set it back. */
  hostClockStepped(step: Micros): void {
    this.#arrivalZero += step;
    this.#minimumAge += step;
  }

  captureTime(pts: Micros): CaptureTime {
    const clockSource = this.source;
    const zero = clockSource === 'rtcp' ? this.#cameraZero! : this.#arrivalZero;
    return { captureTime: Math.round(zero + pts), clockSource };
  }

  /**
   * Observes the arrival of a frame. Running times begin with the first packet, which may be early or late, and follow
   * the camera's crystal; the fastest arrival of each window steers arrival times back to this host's clock. A capture
   * time is never later than the frame's arrival, even if a server begins with a burst of older frames.
   */
  observeArrival(pts: Micros, receivedAt: Micros): void {
    if (receivedAt - pts < this.#arrivalZero) {
      this.#arrivalZero = receivedAt - pts;
      this.#correction = 0;
    }
    const maxStep = SLEW * Math.max(0, pts - (this.#lastPts ?? pts));
    const step = Math.max(-maxStep, Math.min(maxStep, this.#correction));
    this.#arrivalZero += step;
    this.#correction -= step;
    if (this.#cameraZero !== null)
      this.#minimumAge = Math.min(this.#minimumAge + maxStep, receivedAt - pts - this.#cameraZero);
    this.#lastPts = pts;
    this.#fastestArrival = Math.min(this.#fastestArrival, receivedAt - pts - this.#arrivalZero);
    this.#windowEnd ??= pts + ARRIVAL_WINDOW;
    if (pts < this.#windowEnd) return;
    this.#correction = this.#fastestArrival;
    this.#windowEnd = pts + ARRIVAL_WINDOW;
    this.#fastestArrival = Number.POSITIVE_INFINITY;
  }

  /** Adds a reading of the camera's clock: Unix microseconds at running time 0. */
  addSample(zero: Micros): void {
    if (this.#cameraZero !== null && Math.abs(zero - this.#cameraZero) > STEP) {
      // A step is accepted only when several readings agree.
      this.#outliers.push(zero);
      if (this.#outliers.length < SAMPLES) return;
      if (this.source === 'rtcp' || Math.abs(median(this.#outliers) - this.#arrivalZero) <= this.#maxError)
        this.#generation += 1;
      this.#samples = this.#outliers;
      this.#minimumAge = Number.POSITIVE_INFINITY;
    } else {
      this.#samples.push(zero);
      if (this.#samples.length > SAMPLES) this.#samples.shift();
    }
    this.#outliers = [];
    if (this.#samples.length < SAMPLES) return;
    // A lag that was measured by arrival remains a lag by the camera's clock.
    if (this.#cameraZero === null) this.#minimumAge = this.#arrivalZero - median(this.#samples);
    this.#cameraZero = median(this.#samples);
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
