import type { ErrorCode } from '../../errors.ts';
import type { IngestOptions } from '../options.ts';

/** Node, the detector's weights and GStreamer's registry: on a busy machine that takes its time. */
const START_MS = 60_000;
/** A child that gives no sign of life for this long hangs. */
const HANG_MS = 10_000;
/** How often it is to look. */
export const CHECK_MS = 250;
/** A look that comes so late says that the host was held up: what came meanwhile has not been read yet. */
const LATE_MS = 4 * CHECK_MS;

export interface Verdict {
  readonly code: Extract<
    ErrorCode,
    'CAMERA_PROCESS_DIED' | 'CAMERA_UNREACHABLE' | 'CAMERA_NO_VIDEO' | 'CAMERA_STALLED'
  >;
  readonly message: string;
}

/**
 * Notices what no message tells of: a child that hangs, a camera that gives nothing. It counts decoded frames, not
 * bytes or connections. Pure: `now` is milliseconds of a steady clock; `check` is to be called every `CHECK_MS`.
 */
export class Watchdog {
  readonly #options: Pick<IngestOptions, 'connectSeconds' | 'stallSeconds' | 'childMemoryMb'>;
  readonly #live: boolean;
  #phase: 'starting' | 'connecting' | 'playing' = 'starting';
  #connected = false;
  #aliveAt: number;
  #progressAt: number;
  #checkedAt: number;
  #decoded = 0;
  #rss = 0;

  constructor(
    options: Pick<IngestOptions, 'connectSeconds' | 'stallSeconds' | 'childMemoryMb'>,
    live: boolean,
    now: number,
  ) {
    this.#options = options;
    this.#live = live;
    this.#aliveAt = this.#progressAt = this.#checkedAt = now;
  }

  opening(now: number): void {
    this.#phase = 'connecting';
    this.#aliveAt = this.#progressAt = now;
  }

  /** The camera agreed to play. */
  connected(): void {
    this.#connected = true;
  }

  /** The first frame of an epoch was decoded. */
  epoch(now: number): void {
    this.#phase = 'playing';
    this.#aliveAt = this.#progressAt = now;
    this.#decoded = 0;
  }

  report(now: number, decoded: number, rss: number): void {
    this.#aliveAt = now;
    if (decoded > this.#decoded) this.#progressAt = now;
    this.#decoded = decoded;
    this.#rss = rss;
  }

  /** Null while all is well, and where the look came too late to tell: timers run before messages are read. */
  check(now: number): Verdict | null {
    const late = now - this.#checkedAt > LATE_MS;
    this.#checkedAt = now;
    return late ? null : this.#judge(now);
  }

  #judge(now: number): Verdict | null {
    const { connectSeconds, stallSeconds, childMemoryMb } = this.#options;
    const quiet = now - this.#progressAt;
    if (this.#phase === 'starting' ? quiet > START_MS : now - this.#aliveAt > HANG_MS)
      return { code: 'CAMERA_PROCESS_DIED', message: 'the camera process does not answer' };
    const megabytes = Math.round(this.#rss / 2 ** 20);
    if (megabytes > childMemoryMb)
      return {
        code: 'CAMERA_PROCESS_DIED',
        message: `the camera process uses ${megabytes} MB, more than ingest.childMemoryMb`,
      };
    // A file waits for its reader, and that may take long.
    if (!this.#live) return null;
    if (this.#phase === 'connecting' && quiet > connectSeconds * 1000)
      return this.#connected
        ? { code: 'CAMERA_NO_VIDEO', message: `connected, but no picture came within ${connectSeconds} s` }
        : { code: 'CAMERA_UNREACHABLE', message: `the camera does not answer within ${connectSeconds} s` };
    if (this.#phase === 'playing' && quiet > stallSeconds * 1000)
      return { code: 'CAMERA_STALLED', message: `no picture for ${stallSeconds} s` };
    return null;
  }
}
