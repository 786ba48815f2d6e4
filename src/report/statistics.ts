import { AU_COUNT } from '../domain/scores.ts';
import type { RecordedTrack } from './recording.ts';

/** Seconds of the track's clock. */
interface Interval {
  readonly from: number;
  readonly to: number;
}

interface AuStatistics {
  /** Mean and maximum smoothed score; null when no frame was scored. */
  readonly mean: number | null;
  readonly peak: number | null;
  /** Share of scored frames in which the AU was active, 0…1. */
  readonly activeShare: number | null;
  readonly activations: readonly Interval[];
  /** Activations per minute of the track; null for a single frame. */
  readonly perMinute: number | null;
  /** Median duration of an activation in seconds; null without activations. */
  readonly medianSeconds: number | null;
  readonly reliability: number | null;
}

/** (12), in the order of ACTION_UNITS. */
export function auStatistics(track: RecordedTrack): AuStatistics[] {
  return Array.from({ length: AU_COUNT }, (_, au) => {
    const scores = track.smoothed[au]!.values;
    let sum = 0;
    let peak = Number.NEGATIVE_INFINITY;
    let scored = 0;
    let active = 0;
    scores.forEach((score: number, index: number) => {
      if (Number.isNaN(score)) return;
      scored += 1;
      sum += score;
      peak = Math.max(peak, score);
      if (isActive(track, au, index)) active += 1;
    });
    const activations = activationsOf(track, au);
    const durations = activations.map(({ from, to }) => to - from).sort((a, b) => a - b);
    return {
      mean: scored > 0 ? sum / scored : null,
      peak: scored > 0 ? peak : null,
      activeShare: scored > 0 ? active / scored : null,
      activations,
      perMinute: track.duration > 0 ? (activations.length * 60) / track.duration : null,
      medianSeconds: durations.length > 0 ? median(durations) : null,
      reliability: track.auReliability[au]!,
    };
  });
}

/**
 * Activations of one AU, as topic `au.activations` has them: from the first active frame to the first inactive one.
 * Frames without scores are skipped. If they last longer than the gap threshold, the activation ends at its last
 * active frame.
 */
export function activationsOf(track: RecordedTrack, au: number): Interval[] {
  const activations: Interval[] = [];
  let onset: number | null = null;
  let last = 0;
  for (let index = 0; index < track.frameCount; index++) {
    if (Number.isNaN(track.smoothed[au]!.at(index))) continue;
    const time = track.times.at(index);
    const gap = time - last > track.gapSeconds;
    const active = isActive(track, au, index);
    if (onset !== null && (gap || !active)) {
      activations.push({ from: onset, to: gap ? last : time });
      onset = null;
    }
    if (active && onset === null) onset = time;
    last = time;
  }
  if (onset !== null) activations.push({ from: onset, to: last });
  return activations;
}

/** Gaps between a track's frames. */
export function gapsOf(track: RecordedTrack): Interval[] {
  const gaps: Interval[] = [];
  for (let index = 1; index < track.frameCount; index++) {
    const [from, to] = [track.times.at(index - 1), track.times.at(index)];
    if (to - from > track.gapSeconds) gaps.push({ from, to });
  }
  return gaps;
}

function isActive(track: RecordedTrack, au: number, index: number): boolean {
  return (track.activeBits.at(index) & (1 << au)) !== 0;
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
