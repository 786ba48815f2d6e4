import type { CameraState, CameraStatus } from '../domain/camera-status.ts';
import type { AuFrame } from '../domain/event.ts';
import type { ClockSource } from '../domain/frame.ts';
import type { CameraView } from './protocol.ts';

/** Seconds of lag that a card's sparkline shows. */
const LAG_SECONDS = 60;
/** Seconds without a score that need not mean that nothing is scored. */
const SHORT_SILENCE = 5;
const MAX_SEGMENTS = 200;
/** Of all records: a camera that is removed and added again has a version that nobody has seen. */
let changes = 0;

/** What the page shows of one camera: its newest status, its lag, what it went through in the last minutes. */
export class CameraRecord {
  readonly #historyMs: number;
  #status: CameraStatus | undefined;
  #clockSource: ClockSource | null = null;
  #states: { from: number; state: CameraState }[] = [];
  #gaps: { from: number; to: number; cause: string }[] = [];
  #lag: (number | null)[] = [];
  #lagSecond = 0;
  /** Who has seen version n needs nothing while it stays n. */
  version = ++changes;

  constructor(historyMs: number) {
    this.#historyMs = historyMs;
  }

  /** Null before the first status. */
  get state(): CameraState | null {
    return this.#status?.state ?? null;
  }

  /** True when the camera's state is another one now. */
  status(status: CameraStatus): boolean {
    const at = status.at / 1_000;
    const changed = this.#states.at(-1)?.state !== status.state;
    if (changed) this.#states.push({ from: at, state: status.state });
    if (status.gap) {
      // A gap is told when it ends. Its length is in capture time; on the server's clock it ended just now.
      const { from, to, cause } = status.gap;
      this.#gaps.push({ from: at - (to - from) / 1_000, to: at, cause });
    }
    const since = at - this.#historyMs;
    this.#gaps = this.#gaps.filter((gap) => gap.to > since).slice(-MAX_SEGMENTS);
    const firstKept = this.#states.findLastIndex((entry) => entry.from <= since);
    this.#states = this.#states.slice(Math.max(0, firstKept)).slice(-MAX_SEGMENTS);
    this.#status = status;
    this.version = ++changes;
    return changed;
  }

  /** Takes the lag of a batch of this camera's frames. */
  scored(frame: AuFrame): void {
    const second = Math.floor(frame.inferredAt / 1e6);
    const lag = Math.round((frame.inferredAt - frame.receivedAt) / 1_000);
    this.#clockSource = frame.clockSource;
    if (second === this.#lagSecond) {
      this.#lag[this.#lag.length - 1] = lag;
      return;
    }
    const silent = this.#lagSecond === 0 ? 0 : Math.min(LAG_SECONDS, second - this.#lagSecond - 1);
    // A hop of a slow camera takes seconds: that is no silence.
    const between = silent <= SHORT_SILENCE ? (this.#lag.at(-1) ?? null) : null;
    for (let n = 0; n < silent; n++) this.#lag.push(between);
    this.#lag.push(lag);
    this.#lag = this.#lag.slice(-LAG_SECONDS);
    this.#lagSecond = second;
    this.version = ++changes;
  }

  /** Null before the first status. */
  view(): CameraView | null {
    if (!this.#status) return null;
    const { cameraId, state, cause, detail, width, height, codec, fps, restarts, drops } = this.#status;
    return {
      id: cameraId,
      ...{ state, cause, detail, width, height, codec, fps, restarts, drops },
      clockSource: this.#clockSource,
      lag: this.#lagNow(),
      states: this.#states,
      gaps: this.#gaps,
    };
  }

  /** While nobody is in sight no score comes that could tell of it. */
  #lagNow(): (number | null)[] {
    const silent = Math.min(LAG_SECONDS, Math.floor(Date.now() / 1_000) - this.#lagSecond - 1);
    if (silent <= SHORT_SILENCE) return this.#lag;
    return [...this.#lag, ...Array<null>(silent).fill(null)].slice(-LAG_SECONDS);
  }
}
