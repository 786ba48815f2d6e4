import type { Micros } from '../../domain/frame.ts';
import { gapThreshold } from '../../domain/gap.ts';

/** What jitter may add to the distance of frames without making a hole of it. */
const ROOM = 0.8;

/** The least share of frames, `interval` apart, without holes longer than `gapSeconds`: through those nobody is followed. */
export function minimumShare(interval: Micros, gapSeconds: number): number {
  return 1 / Math.max(1, Math.floor((ROOM * gapThreshold(gapSeconds, interval)) / interval));
}
