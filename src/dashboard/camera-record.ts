import { restamp, wallMs } from '../clock.ts';
import type { CameraState, CameraStatus } from '../domain/camera-status.ts';
import type { AuFrame } from '../domain/event.ts';
import type { ClockSource } from '../domain/frame.ts';
import type { CameraView } from './protocol.ts';

/** Length of the lag sparkline, seconds. */
const LAG_SECONDS = 60;
/** Up to this many seconds without a score count as a slow hop, more as no face in sight. */
const MAX_HOP_SECONDS = 5;
/** States, and gaps, kept per camera. */
const MAX_SEGMENTS = 200;
/** Shared by all records: a camera that is removed and added again gets a version that no page has seen. */
let lastVersion = 0;

/** What the page shows of one camera: its newest status, its lag, and its states and gaps of the last minutes. */
export class CameraRecord {
  readonly #historyMs: number;
  #status: CameraStatus | undefined;
  #clockSource: ClockSource | null = null;
  #states: { from: number; state: CameraState }[] = [];
  #gaps: { from: number; to: number; cause: string }[] = [];
  #lag: (number | null)[] = [];
  #lagSecond = 0;
  /** Changes whenever the view does. */
  version = ++lastVersion;

  constructor(historyMs: number) {
    this.#historyMs = historyMs;
  }

  /** Null before the first status. */
  get state(): CameraState | null {
    return this.#status?.state ?? null;
  }

  /** Returns true if the camera's state changed. */
  update(status: CameraStatus): boolean {
    const at = status.at / 1_000;
    const changed = this.#states.at(-1)?.state !== status.state;
    if (changed) this.#states.push({ from: at, state: status.state });
    if (status.gap) {
      // A gap is reported when it ends. Its length is in capture time; on the server's clock it ended just now.
      const { from, to, cause } = status.gap;
      this.#gaps.push({ from: at - (to - from) / 1_000, to: at, cause });
    }
    const since = at - this.#historyMs;
    this.#gaps = this.#gaps.filter((gap) => gap.to > since).slice(-MAX_SEGMENTS);
    const firstKept = this.#states.findLastIndex((entry) => entry.from <= since);
    this.#states = this.#states.slice(Math.max(0, firstKept)).slice(-MAX_SEGMENTS);
    this.#status = status;
    this.version = ++lastVersion;
    return changed;
  }

  /** Adds the lag (inference minus receive time) of this camera's newest scored frame; one value per second is kept. */
  addLag(frame: AuFrame): void {
    const inferredAt = restamp(frame.inferredAt);
    const second = Math.floor(inferredAt / 1e6);
    const lag = Math.max(0, Math.round((inferredAt - restamp(frame.receivedAt)) / 1_000));
    this.#clockSource = frame.clockSource;
    if (second === this.#lagSecond) {
      this.#lag[this.#lag.length - 1] = lag;
      return;
    }
    const skipped = this.#lagSecond === 0 ? 0 : Math.min(LAG_SECONDS, second - this.#lagSecond - 1);
    // A hop of a slow camera takes seconds: the last value holds until the next one.
    const fill = skipped <= MAX_HOP_SECONDS ? (this.#lag.at(-1) ?? null) : null;
    for (let n = 0; n < skipped; n++) this.#lag.push(fill);
    this.#lag.push(lag);
    this.#lag = this.#lag.slice(-LAG_SECONDS);
    this.#lagSecond = second;
    this.version = ++lastVersion;
  }

  /** This host's clock was set by `ms`. */
  shift(ms: number): void {
    this.#states = this.#states.map(({ from, state }) => ({ from: from + ms, state }));
    this.#gaps = this.#gaps.map(({ from, to, cause }) => ({ from: from + ms, to: to + ms, cause }));
    if (this.#lagSecond > 0) this.#lagSecond += Math.round(ms / 1_000);
    this.version = ++lastVersion;
  }

  /** Null before the first status. */
  view(): CameraView | null {
    if (!this.#status) return null;
    const { cameraId, state, cause, detail, width, height, codec, fps, restarts, drops } = this.#status;
    return {
      id: cameraId,
      ...{ state, cause, detail, width, height, codec, fps, restarts, drops },
      clockSource: this.#clockSource,
      lag: this.#currentLag(),
      states: this.#states,
      gaps: this.#gaps,
    };
  }

  /** Without faces no score arrives, so the seconds since the last score are added here as null. */
  #currentLag(): (number | null)[] {
    const skipped = Math.min(LAG_SECONDS, Math.floor(wallMs() / 1_000) - this.#lagSecond - 1);
    if (skipped <= MAX_HOP_SECONDS) return this.#lag;
    return [...this.#lag, ...Array<null>(skipped).fill(null)].slice(-LAG_SECONDS);
  }
}
