import type { FrameStamp } from '../../domain/frame.ts';
import type { Gap } from '../../domain/gap.ts';
import { gapThreshold } from '../../domain/gap.ts';

/** Finds the holes in one camera's frames. */
export class GapFinder {
  readonly #gapSeconds: number;
  #last: FrameStamp | null = null;
  #epochCause = 'first_frame';

  constructor(gapSeconds: number) {
    this.#gapSeconds = gapSeconds;
  }

  /** Why frames may be missing now; it becomes the cause of the hole that the next frame closes. */
  interrupted(cause: string): void {
    this.#epochCause = cause;
  }

  /** Takes the next frame; returns the hole before it, if that is one. */
  next(stamp: FrameStamp): Gap | null {
    const last = this.#last;
    const cause = this.#epochCause;
    this.#last = stamp;
    this.#epochCause = 'frames_missing';
    if (last === null) return null;
    const hole = gapThreshold(this.#gapSeconds, stamp.interval);
    if (last.epoch === stamp.epoch) {
      const missing = stamp.captureTime - last.captureTime;
      if (missing <= hole) return null;
      const framesLost = Math.max(0, Math.round(missing / stamp.interval) - 1);
      return { from: last.captureTime, to: stamp.captureTime, cause, framesLost };
    }
    // Two runs: their capture times may come from different clocks, and then only this host's clock tells.
    if (stamp.receivedAt - last.receivedAt <= hole) return null;
    const sameClock = last.clockSource === stamp.clockSource && stamp.captureTime > last.captureTime;
    const [from, to] = sameClock
      ? [last.captureTime, stamp.captureTime]
      : [last.receivedAt, stamp.receivedAt];
    return { from, to, cause, framesLost: null };
  }
}
