import type { FrameStamp } from '../../domain/frame.ts';
import type { Gap } from '../../domain/gap.ts';
import { gapThreshold } from '../../domain/gap.ts';

/** Finds gaps between one camera's frames. */
export class GapDetector {
  readonly #gapSeconds: number;
  #lastFrame: FrameStamp | null = null;
  #nextCause = 'first_frame';

  constructor(gapSeconds: number) {
    this.#gapSeconds = gapSeconds;
  }

  /** Frames may be missing from now on; `cause` becomes that of the gap before the next frame. */
  interrupted(cause: string): void {
    this.#nextCause = cause;
  }

  /** Returns the gap before this frame, or null. */
  next(stamp: FrameStamp): Gap | null {
    const last = this.#lastFrame;
    const cause = this.#nextCause;
    this.#lastFrame = stamp;
    this.#nextCause = 'frames_missing';
    if (last === null) return null;
    const threshold = gapThreshold(this.#gapSeconds, stamp.interval);
    if (last.epoch === stamp.epoch) {
      const distance = stamp.captureTime - last.captureTime;
      if (distance <= threshold) return null;
      const framesLost = Math.max(0, Math.round(distance / stamp.interval) - 1);
      return { from: last.captureTime, to: stamp.captureTime, cause, framesLost };
    }
    // Capture times of two epochs may come from different clocks; arrival times are always of this host's clock.
    if (stamp.receivedAt - last.receivedAt <= threshold) return null;
    const sameClock = last.clockSource === stamp.clockSource && stamp.captureTime > last.captureTime;
    const [from, to] = sameClock
      ? [last.captureTime, stamp.captureTime]
      : [last.receivedAt, stamp.receivedAt];
    return { from, to, cause, framesLost: null };
  }
}
