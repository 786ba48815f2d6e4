import type { FrameStamp, Gap } from '../domain.ts';

/** Finds the holes in one camera's frames. */
export class GapFinder {
  readonly #threshold: number;
  #last: FrameStamp | null = null;
  #epochCause = 'first_frame';

  constructor(gapSeconds: number) {
    this.#threshold = gapSeconds * 1_000_000;
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
    if (last.epoch === stamp.epoch) {
      const missing = stamp.captureTime - last.captureTime;
      if (missing <= this.#threshold) return null;
      const framesLost = Math.max(0, Math.round(missing / stamp.interval) - 1);
      return { from: last.captureTime, to: stamp.captureTime, cause, framesLost };
    }
    // Two runs: their capture times may come from different clocks, and then only this host's clock tells.
    if (stamp.receivedAt - last.receivedAt <= this.#threshold) return null;
    const sameClock = last.clockSource === stamp.clockSource && stamp.captureTime > last.captureTime;
    const [from, to] = sameClock
      ? [last.captureTime, stamp.captureTime]
      : [last.receivedAt, stamp.receivedAt];
    return { from, to, cause, framesLost: null };
  }
}
