import type { Micros } from '../../domain/frame.ts';
import { gapThreshold } from '../../domain/gap.ts';

/** Fraction of the gap threshold to use; the rest is room for jitter. */
const JITTER_ROOM = 0.8;

/**
 * The smallest share of frames, `interval` apart, that may be analysed without gaps longer than `gapSeconds`: no track
 * survives a gap.
 */
export function minimumShare(interval: Micros, gapSeconds: number): number {
  return 1 / Math.max(1, Math.floor((JITTER_ROOM * gapThreshold(gapSeconds, interval)) / interval));
}
