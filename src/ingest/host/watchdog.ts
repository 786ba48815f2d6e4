import type { ErrorCode } from '../../errors.ts';
import type { IngestOptions } from '../options.ts';
import type { Phase } from './camera-lifecycle.ts';

/** Time for Node, the detector's weights and GStreamer's registry to load on a busy machine. */
const START_MS = 60_000;
/** A child that sends nothing for this long hangs; it reports every `REPORT_MS`. */
const HANG_MS = 10_000;
/** Interval of the checks. */
export const CHECK_MS = 250;
/** A check this late means that the host was blocked: messages that arrived meanwhile are not read yet. */
const LATE_MS = 4 * CHECK_MS;

const WATCHED_PHASES = ['Starting', 'Connecting', 'Connected', 'Live', 'Ending'] as const;
/** Phases in which a child must show progress or at least send heartbeats. */
export type WatchedPhase = (typeof WATCHED_PHASES)[number];

export function isWatched(phase: Phase): phase is WatchedPhase {
  return (WATCHED_PHASES as readonly Phase[]).includes(phase);
}

interface Verdict {
  readonly code: Extract<
    ErrorCode,
    'CAMERA_PROCESS_DIED' | 'CAMERA_UNREACHABLE' | 'CAMERA_NO_VIDEO' | 'CAMERA_STALLED'
  >;
  readonly message: string;
}

/**
 * Detects what no message reports: a child that hangs, a camera without frames. Progress means decoded frames, not
 * bytes or connections. One watchdog per child process. Pure: `now` is milliseconds of a monotonic clock.
 */
export class Watchdog {
  readonly #options: Pick<IngestOptions, 'connectSeconds' | 'stallSeconds' | 'childMemoryMb'>;
  readonly #isLive: boolean;
  #heartbeatAt: number;
  #progressAt: number;
  #checkedAt: number;
  /** Frames decoded in the current epoch. */
  #decoded = 0;
  /** Resident memory of the child, in bytes. */
  #rss = 0;

  constructor(
    options: Pick<IngestOptions, 'connectSeconds' | 'stallSeconds' | 'childMemoryMb'>,
    isLive: boolean,
    now: number,
  ) {
    this.#options = options;
    this.#isLive = isLive;
    this.#heartbeatAt = this.#progressAt = this.#checkedAt = now;
  }

  /** The camera is being opened, or an epoch began: every timeout starts again. */
  progress(now: number): void {
    this.#heartbeatAt = this.#progressAt = now;
    this.#decoded = 0;
  }

  /** `decoded`: frames of the current epoch. `rss`: bytes. */
  report(now: number, decoded: number, rss: number): void {
    this.#heartbeatAt = now;
    if (decoded > this.#decoded) this.#progressAt = now;
    this.#decoded = decoded;
    this.#rss = rss;
  }

  /** Call it every `CHECK_MS`. Null if healthy, and after a late check: timers run before messages are read. */
  check(now: number, phase: WatchedPhase): Verdict | null {
    const late = now - this.#checkedAt > LATE_MS;
    this.#checkedAt = now;
    return late ? null : this.#verdict(now, phase);
  }

  #verdict(now: number, phase: WatchedPhase): Verdict | null {
    const { connectSeconds, stallSeconds, childMemoryMb } = this.#options;
    const sinceProgress = now - this.#progressAt;
    if (phase === 'Starting' ? sinceProgress > START_MS : now - this.#heartbeatAt > HANG_MS)
      return { code: 'CAMERA_PROCESS_DIED', message: 'the camera process does not answer' };
    const megabytes = Math.round(this.#rss / 2 ** 20);
    if (megabytes > childMemoryMb)
      return {
        code: 'CAMERA_PROCESS_DIED',
        message: `the camera process uses ${megabytes} MB, more than ingest.childMemoryMb`,
      };
    // A file progresses only as fast as its reader, which may be slow.
    if (!this.#isLive) return null;
    if (phase === 'Connecting' && sinceProgress > connectSeconds * 1000)
      return { code: 'CAMERA_UNREACHABLE', message: `the camera does not answer within ${connectSeconds} s` };
    if (phase === 'Connected' && sinceProgress > connectSeconds * 1000)
      return {
        code: 'CAMERA_NO_VIDEO',
        message: `connected, but no frame within ${connectSeconds} s`,
      };
    if (phase === 'Live' && sinceProgress > stallSeconds * 1000)
      return { code: 'CAMERA_STALLED', message: `no frame for ${stallSeconds} s` };
    return null;
  }
}
