import { monotonicAt } from '../../clock.ts';
import type { FrameStamp, Micros } from '../../domain/frame.ts';
import type { Gap } from '../../domain/gap.ts';
import { gapThreshold } from '../../domain/gap.ts';

/** Finds gaps between one camera's frames. */
export class GapDetector {
  readonly #gapSeconds: number;
  readonly #receivedMs: (stamp: FrameStamp) => number;
  #lastFrame: FrameStamp | null = null;
  /** When it was received, monotonic milliseconds. */
  #lastReceivedMs = 0;
  #nextCause = 'first_frame';

  /** `receivedMs`: when a frame was received, monotonic milliseconds. */
  constructor(
    gapSeconds: number,
    receivedMs = ({ receivedAt }: FrameStamp): number => monotonicAt(receivedAt),
  ) {
    this.#gapSeconds = gapSeconds;
    this.#receivedMs = receivedMs;
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
    const received = this.#receivedMs(stamp);
    const sinceLast: Micros = (received - this.#lastReceivedMs) * 1_000;
    this.#lastReceivedMs = received;
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
    if (sinceLast <= threshold) return null;
    const sameClock = last.clockSource === stamp.clockSource && stamp.captureTime > last.captureTime;
    const [from, to] = sameClock
      ? [last.captureTime, stamp.captureTime]
      : [last.receivedAt, stamp.receivedAt];
    return { from, to, cause, framesLost: null };
  }
}
