import { AU_COUNT } from '../domain/scores.ts';
import type { RecordedTrack } from './recording.ts';

/** One AU active from frame to frame, in seconds of the track's clock. */
export interface Activation {
  readonly from: number;
  readonly to: number;
}

export interface AuStatistics {
  /** Mean and highest smoothed score; null where no frame was scored. */
  readonly mean: number | null;
  readonly peak: number | null;
  /** Share of the scored frames in which it was active, 0…1. */
  readonly activeShare: number | null;
  readonly activations: readonly Activation[];
  readonly perMinute: number | null;
  /** Seconds; null without an activation. */
  readonly medianSeconds: number | null;
  readonly reliability: number | null;
}

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
      perMinute: track.seconds > 0 ? (activations.length * 60) / track.seconds : null,
      medianSeconds: durations.length > 0 ? median(durations) : null,
      reliability: track.reliability[au]!,
    };
  });
}

/**
 * Runs of active frames. Frames without scores change nothing, as in the topic of activations, unless there are none
 * but such for too long: then a run ends with its last active frame. Else it lasts until the first frame that is not
 * active.
 */
export function activationsOf(track: RecordedTrack, au: number): Activation[] {
  const runs: Activation[] = [];
  let from: number | null = null;
  let last = 0;
  for (let index = 0; index < track.frames; index++) {
    if (Number.isNaN(track.smoothed[au]!.at(index))) continue;
    const time = track.time.at(index);
    const hole = time - last > track.holeSeconds;
    const active = isActive(track, au, index);
    if (from !== null && (hole || !active)) {
      runs.push({ from, to: hole ? last : time });
      from = null;
    }
    if (active && from === null) from = time;
    last = time;
  }
  if (from !== null) runs.push({ from, to: last });
  return runs;
}

/** Holes between a track's frames. */
export function holesOf(track: RecordedTrack): Activation[] {
  const holes: Activation[] = [];
  for (let index = 1; index < track.frames; index++) {
    const [from, to] = [track.time.at(index - 1), track.time.at(index)];
    if (to - from > track.holeSeconds) holes.push({ from, to });
  }
  return holes;
}

function isActive(track: RecordedTrack, au: number, index: number): boolean {
  return (track.active.at(index) & (1 << au)) !== 0;
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
