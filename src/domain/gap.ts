import type { Micros } from './frame.ts';

/** A hole in a camera's data. */
export interface Gap {
  readonly from: Micros;
  readonly to: Micros;
  readonly cause: string;
  readonly framesLost: number | null;
}

/** Distances of frames jitter, and one frame may be lost: nothing shorter than so many of them is a hole. */
const MIN_GAP_INTERVALS = 2.5;

/** Frames of a stream whose nominal distance is `interval` have a hole between them when they are further apart. */
export function gapThreshold(seconds: number, interval: Micros): Micros {
  return Math.max(seconds * 1e6, MIN_GAP_INTERVALS * interval);
}
