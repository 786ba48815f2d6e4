import { monotonicMs, wallMs } from '../../clock.ts';
import type { CameraState, CameraStatus } from '../../domain/camera-status.ts';
import type { FrameStamp, Micros } from '../../domain/frame.ts';
import type { Gap } from '../../domain/gap.ts';
import { outgoingLine } from '../../redaction.ts';
import type { CameraWarning, ClockReport, ToHost } from '../protocol/messages.ts';

/** Unix and monotonic milliseconds. */
export interface Clocks {
  wallMs(): number;
  monotonicMs(): number;
}

type EpochVideo = Pick<Extract<ToHost, { type: 'epoch' }>, 'epoch' | 'width' | 'height' | 'codec'>;

/** The camera's warnings in words; suffixes of the LIVE detail. */
export const WARNING_TEXTS: Readonly<Record<CameraWarning, string>> = {
  password_unencrypted:
    'the camera gets the password unencrypted (Basic authentication, or in the URL, without TLS): use Digest authentication or rtsps://',
};
/** Suffix of the LIVE detail while frames are shed. */
const SHEDDING_NOTE = '; fewer frames are analysed, as this machine is overloaded';
const UNKNOWN_CLOCK: ClockReport = { clockErrorMs: null, driftPpm: null };

/** Accumulates one camera's state and builds its CameraStatus. Pure: the clocks are passed in. */
export class StatusTracker {
  readonly #cameraId: string;
  readonly #clocks: Clocks;
  #state: CameraState = 'CONNECTING';
  #previous: CameraState | null = null;
  #cause = 'started';
  #detail = '';
  /** When the state was entered, Unix milliseconds. */
  #since: number;
  /** The same on the monotonic clock. */
  #enteredAt: number;
  #restarts = 0;
  #video: EpochVideo | null = null;
  #drops: Readonly<Record<string, number>> = {};
  /** Frames since `#rateSince` (monotonic milliseconds), over which the rate is measured. */
  #frames = 0;
  #rateSince: number;
  #fps: number | null = null;
  #lagMs: number | null = null;
  readonly #configuredFps: number;
  #interval: Micros | null = null;
  #share = 1;
  #clock: ClockReport = UNKNOWN_CLOCK;

  /** `analysisFps`: as configured. */
  constructor(cameraId: string, analysisFps: number, clocks: Clocks = { wallMs, monotonicMs }) {
    this.#cameraId = cameraId;
    this.#configuredFps = analysisFps;
    this.#clocks = clocks;
    this.#since = clocks.wallMs();
    this.#rateSince = this.#enteredAt = clocks.monotonicMs();
  }

  get state(): CameraState {
    return this.#state;
  }

  /** Milliseconds since the state was entered. */
  get stateAgeMs(): number {
    return this.#clocks.monotonicMs() - this.#enteredAt;
  }

  get epoch(): number | null {
    return this.#video?.epoch ?? null;
  }

  /** True if state or cause changed, or it is the first state. */
  setState(state: CameraState, cause: string, detail: string): boolean {
    const changed = state !== this.#state || cause !== this.#cause || this.#detail === '';
    const first = this.#detail === '';
    const seconds = (this.stateAgeMs / 1000).toFixed(1);
    const previousDuration = first || state === this.#state ? '' : `, after ${seconds} s ${this.#state}`;
    if (state !== this.#state) {
      this.#previous = first ? null : this.#state;
      this.#since = this.#clocks.wallMs();
      this.#enteredAt = this.#clocks.monotonicMs();
    }
    [this.#state, this.#cause, this.#detail] = [state, cause, outgoingLine(`${detail}${previousDuration}`)];
    if (state !== 'LIVE') {
      this.#fps = null;
      this.#lagMs = null;
      this.#clock = UNKNOWN_CLOCK;
    }
    return changed;
  }

  countRestart(): void {
    this.#restarts += 1;
  }

  beginEpoch(video: EpochVideo): void {
    this.#video = video;
    this.#drops = {};
  }

  setDrops(drops: Readonly<Record<string, number>>): void {
    this.#drops = drops;
  }

  setClock({ clockErrorMs, driftPpm }: ClockReport): void {
    this.#clock = { clockErrorMs, driftPpm };
  }

  /** Sets the share of frames that is analysed, 0…1. True if it changed. */
  setShare(share: number): boolean {
    const changed = share !== this.#share;
    this.#share = share;
    return changed;
  }

  /** `ageMs`: time since the frame was received. */
  recordFrame(stamp: FrameStamp, ageMs: number): void {
    this.#frames += 1;
    this.#interval = stamp.interval;
    this.#lagMs = ageMs;
  }

  /** Computes the rate since the last call. */
  measureRate(): void {
    const now = this.#clocks.monotonicMs();
    const seconds = (now - this.#rateSince) / 1000;
    this.#fps = this.#state === 'LIVE' && seconds > 0 ? Math.round((this.#frames / seconds) * 10) / 10 : null;
    this.#frames = 0;
    this.#rateSince = now;
  }

  /** Frames per second that are analysed; a stream slower than configured is shed from its own rate. */
  get #analysisFps(): number | null {
    if (this.#state !== 'LIVE') return null;
    const maxFps =
      this.#interval === null ? this.#configuredFps : Math.min(this.#configuredFps, 1e6 / this.#interval);
    return this.#share === 1 ? this.#configuredFps : Math.round(maxFps * this.#share * 10) / 10;
  }

  status(gap: Gap | null = null): CameraStatus {
    return {
      cameraId: this.#cameraId,
      at: this.#clocks.wallMs() * 1000,
      state: this.#state,
      since: this.#since * 1000,
      previous: this.#previous,
      cause: this.#cause,
      detail: this.#share < 1 && this.#state === 'LIVE' ? `${this.#detail}${SHEDDING_NOTE}` : this.#detail,
      epoch: this.epoch,
      worker: null,
      restarts: this.#restarts,
      width: this.#video?.width ?? null,
      height: this.#video?.height ?? null,
      codec: this.#video?.codec ?? null,
      fps: this.#fps,
      analysisFps: this.#analysisFps,
      lagMs: this.#lagMs === null ? null : Math.round(this.#lagMs),
      ...this.#clock,
      drops: this.#drops,
      gap,
    };
  }
}

/** `1920×1080 h264, timed by the camera’s clock (camera clock 12 ms behind host clock)`. */
export function describeVideo({
  width,
  height,
  codec,
  clockSource,
  clockErrorMs,
}: Extract<ToHost, { type: 'epoch' }>): string {
  const picture = `${width}×${height} ${codec ?? 'video'}`;
  if (clockSource === 'file') return picture;
  const clock = clockSource === 'rtcp' ? 'the camera’s clock' : 'arrival';
  const error =
    clockErrorMs === null
      ? ''
      : ` (camera clock ${Math.abs(clockErrorMs)} ms ${clockErrorMs < 0 ? 'behind' : 'ahead of'} host clock)`;
  return `${picture}, timed by ${clock}${error}`;
}
