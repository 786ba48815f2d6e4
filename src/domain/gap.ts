import type { Micros } from './frame.ts';

/** A stretch of a camera's stream without frames. */
export interface Gap {
  readonly from: Micros;
  readonly to: Micros;
  readonly cause: string;
  readonly framesLost: number | null;
}

/** Minimum gap in frame intervals: frame times jitter, and one lost frame is no gap. */
const MIN_GAP_INTERVALS = 2.5;

/** Two frames further apart than this have a gap between them. `seconds`: the configured minimum. */
export function gapThreshold(seconds: number, interval: Micros): Micros {
  return Math.max(seconds * 1e6, MIN_GAP_INTERVALS * interval);
}
