import type { CameraState, CameraStatus } from '../../domain/camera-status.ts';
import type { FrameStamp, Micros } from '../../domain/frame.ts';
import type { Gap } from '../../domain/gap.ts';
import type { ClockReport, ToHost } from '../protocol/messages.ts';

type Picture = Pick<Extract<ToHost, { type: 'epoch' }>, 'epoch' | 'width' | 'height' | 'codec'>;

const SHED = '; fewer frames are analysed, as this machine is overloaded';
const UNKNOWN_CLOCK: ClockReport = { clockErrorMs: null, driftPpm: null };

/** Keeps what is known of a camera and words it as CameraStatus. Pure, but for the host's clock. */
export class StatusKeeper {
  readonly #cameraId: string;
  readonly #now: () => number;
  #state: CameraState = 'CONNECTING';
  #previous: CameraState | null = null;
  #cause = 'started';
  #detail = '';
  #since: number;
  #restarts = 0;
  #picture: Picture | null = null;
  #drops: Readonly<Record<string, number>> = {};
  #frames = 0;
  #countedSince: number;
  #fps: number | null = null;
  #lagMs: number | null = null;
  readonly #wantedFps: number;
  #interval: Micros | null = null;
  #share = 1;
  #clock: ClockReport = UNKNOWN_CLOCK;

  /** `analysisFps`: as the config has it. `now`: Unix milliseconds. */
  constructor(cameraId: string, analysisFps: number, now: () => number = Date.now) {
    this.#cameraId = cameraId;
    this.#wantedFps = analysisFps;
    this.#now = now;
    this.#countedSince = this.#since = now();
  }

  get state(): CameraState {
    return this.#state;
  }

  /** How long the state has lasted, in milliseconds. */
  get lasted(): number {
    return this.#now() - this.#since;
  }

  get epoch(): number | null {
    return this.#picture?.epoch ?? null;
  }

  /** True where that changed anything worth telling. */
  enter(state: CameraState, cause: string, detail: string): boolean {
    const changed = state !== this.#state || cause !== this.#cause || this.#detail === '';
    const first = this.#detail === '';
    const seconds = ((this.#now() - this.#since) / 1000).toFixed(1);
    const spent = first || state === this.#state ? '' : `, after ${seconds} s ${this.#state}`;
    if (state !== this.#state) {
      this.#previous = first ? null : this.#state;
      this.#since = this.#now();
    }
    [this.#state, this.#cause, this.#detail] = [state, cause, `${detail}${spent}`];
    if (state !== 'LIVE') {
      this.#fps = null;
      this.#lagMs = null;
      this.#clock = UNKNOWN_CLOCK;
    }
    return changed;
  }

  restarted(): void {
    this.#restarts += 1;
  }

  picture(picture: Picture): void {
    this.#picture = picture;
    this.#drops = {};
  }

  drops(drops: Readonly<Record<string, number>>): void {
    this.#drops = drops;
  }

  clock({ clockErrorMs, driftPpm }: ClockReport): void {
    this.#clock = { clockErrorMs, driftPpm };
  }

  /** The part of the frames that is analysed from now on, 0…1. True where that changed. */
  pace(share: number): boolean {
    const changed = share !== this.#share;
    this.#share = share;
    return changed;
  }

  frame(stamp: FrameStamp): void {
    this.#frames += 1;
    this.#interval = stamp.interval;
    this.#lagMs = Math.max(0, this.#now() - stamp.receivedAt / 1000);
  }

  /** Begins a new interval over which the rate is counted. */
  count(): void {
    const seconds = (this.#now() - this.#countedSince) / 1000;
    this.#fps = this.#state === 'LIVE' && seconds > 0 ? Math.round((this.#frames / seconds) * 10) / 10 : null;
    this.#frames = 0;
    this.#countedSince = this.#now();
  }

  /** A slower stream than the config asks for is thinned from its own rate. */
  get #analysisFps(): number | null {
    if (this.#state !== 'LIVE') return null;
    const most = this.#interval === null ? this.#wantedFps : Math.min(this.#wantedFps, 1e6 / this.#interval);
    return this.#share === 1 ? this.#wantedFps : Math.round(most * this.#share * 10) / 10;
  }

  status(gap: Gap | null = null): CameraStatus {
    return {
      cameraId: this.#cameraId,
      at: this.#now() * 1000,
      state: this.#state,
      since: this.#since * 1000,
      previous: this.#previous,
      cause: this.#cause,
      detail: this.#share < 1 && this.#state === 'LIVE' ? `${this.#detail}${SHED}` : this.#detail,
      epoch: this.epoch,
      restarts: this.#restarts,
      width: this.#picture?.width ?? null,
      height: this.#picture?.height ?? null,
      codec: this.#picture?.codec ?? null,
      fps: this.#fps,
      analysisFps: this.#analysisFps,
      lagMs: this.#lagMs === null ? null : Math.round(this.#lagMs),
      ...this.#clock,
      drops: this.#drops,
      gap,
    };
  }
}

/** `1920×1080 h264, timed by the camera's clock (12 ms behind this host's)`. */
export function describePicture({
  width,
  height,
  codec,
  clockSource,
  clockErrorMs,
}: Extract<ToHost, { type: 'epoch' }>): string {
  const picture = `${width}×${height} ${codec ?? 'video'}`;
  if (clockSource === 'file') return picture;
  const error =
    clockErrorMs === null
      ? ''
      : ` (the camera's is ${Math.abs(clockErrorMs)} ms ${clockErrorMs < 0 ? 'behind' : 'ahead'})`;
  return `${picture}, timed by ${clockSource === 'rtcp' ? 'the camera’s clock' : 'arrival'}${error}`;
}
