import type { ClockSource, Micros } from '../../../domain/frame.ts';

/** Samples of the camera's clock whose median counts: one torn or late reading shall move nothing. */
const SAMPLES = 5;
/** Over so long the fastest delivery is sought. */
const DELIVERY_WINDOW: Micros = 10_000_000;
/** Arrival times are corrected by no more than this part of the time that passes: a rate, never a jump. */
const SLEW = 0.005;
/** A camera's clock that leaves its course by more has been set. */
const STEP: Micros = 500_000;

export interface CaptureTime {
  readonly captureTime: Micros;
  readonly clockSource: ClockSource;
}

/**
 * Turns running times (PTS) of one pipeline into capture times. A live source begins by arrival; once the camera's
 * sender reports are known and their clock is not off by more than `maxError`, its own clock counts. The caller
 * begins a new epoch whenever `source` or `generation` changes, as those times do not continue one another.
 */
export class CaptureClock {
  #arrivalZero: Micros;
  readonly #maxError: Micros;
  #samples: Micros[] = [];
  #strays: Micros[] = [];
  #cameraZero: Micros | null = null;
  /** How old frames are at least when they come, by the camera's clock; what it is ahead is in it, too. */
  #leastAge = Number.POSITIVE_INFINITY;
  #generation = 0;
  #windowEnd: Micros | null = null;
  #fastest = Number.POSITIVE_INFINITY;
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

  /** How far the camera's clock is ahead of this host's, the way of the packets included; null while unknown. */
  get error(): Micros | null {
    return this.#cameraZero === null ? null : this.#cameraZero - this.#arrivalZero;
  }

  /**
   * How far the clock behind capture times has gone ahead of this host's: of `rtcp` it is the error, of `arrival`, where
   * the stream's own pace is meant, only its changes mean anything.
   */
  get ahead(): Micros {
    return this.source === 'rtcp' ? this.error! : -this.#arrivalZero;
  }

  /**
   * By how much later than the fastest frames one was taken. Where the stream's time and the camera's clock disagree it
   * is the less: RTP time that runs slow makes all frames seem to come ever later, but then its sender reports tell.
   */
  lag(pts: Micros, receivedAt: Micros): Micros {
    const byArrival = receivedAt - pts - this.#arrivalZero;
    if (this.#cameraZero === null) return byArrival;
    return Math.min(byArrival, receivedAt - pts - this.#cameraZero - this.#leastAge);
  }

  /** This host's clock was set forward by so much (back: negative). */
  hostSet(by: Micros): void {
    this.#arrivalZero += by;
    this.#leastAge += by;
  }

  at(pts: Micros): CaptureTime {
    const source = this.source;
    const zero = source === 'rtcp' ? this.#cameraZero! : this.#arrivalZero;
    return { captureTime: Math.round(zero + pts), clockSource: source };
  }

  /**
   * Takes note of a frame's delivery. Running times begin with the first packet, which may have come early or late,
   * and follow the camera's crystal; the fastest delivery of each window leads arrival times back to this host's
   * clock. No frame arrives after it was received: a server that begins with a burst of older frames is caught so.
   */
  delivered(pts: Micros, receivedAt: Micros): void {
    if (receivedAt - pts < this.#arrivalZero) {
      this.#arrivalZero = receivedAt - pts;
      this.#correction = 0;
    }
    const most = SLEW * Math.max(0, pts - (this.#lastPts ?? pts));
    const step = Math.max(-most, Math.min(most, this.#correction));
    this.#arrivalZero += step;
    this.#correction -= step;
    if (this.#cameraZero !== null)
      this.#leastAge = Math.min(this.#leastAge + most, receivedAt - pts - this.#cameraZero);
    this.#lastPts = pts;
    this.#fastest = Math.min(this.#fastest, receivedAt - pts - this.#arrivalZero);
    this.#windowEnd ??= pts + DELIVERY_WINDOW;
    if (pts < this.#windowEnd) return;
    this.#correction = this.#fastest;
    this.#windowEnd = pts + DELIVERY_WINDOW;
    this.#fastest = Number.POSITIVE_INFINITY;
  }

  /** Takes a reading of the camera's clock: Unix microseconds at running time 0. */
  sample(zero: Micros): void {
    if (this.#cameraZero !== null && Math.abs(zero - this.#cameraZero) > STEP) {
      // Believed when several readings agree.
      this.#strays.push(zero);
      if (this.#strays.length < SAMPLES) return;
      if (this.source === 'rtcp' || Math.abs(median(this.#strays) - this.#arrivalZero) <= this.#maxError)
        this.#generation += 1;
      this.#samples = this.#strays;
      this.#leastAge = Number.POSITIVE_INFINITY;
    } else {
      this.#samples.push(zero);
      if (this.#samples.length > SAMPLES) this.#samples.shift();
    }
    this.#strays = [];
    if (this.#samples.length < SAMPLES) return;
    // What has come late so far stays late.
    if (this.#cameraZero === null) this.#leastAge = this.#arrivalZero - median(this.#samples);
    this.#cameraZero = median(this.#samples);
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
