import type { Detection } from './detections.ts';
import { boxCentre, iou } from './geometry.ts';
import type { Track } from './track.ts';

/** How well a detection fits a track: 0 perfectly … 1 barely; undefined: not at all. */
export type Cost = (track: Track, detection: Detection) => number | undefined;

/** Sizes of one face between two looks differ by less than this ratio. */
const MAX_SIZE_RATIO = 1.8;
/** A face is found again within this many face heights, and three standard deviations, of its expected place. */
const GATE_FACE_HEIGHTS = 1;

/** By distance from the expected place: for faces that may have moved while they were not seen. */
export function distanceCost(track: Track, { box }: Detection): number | undefined {
  const ratio = box.h / track.box.h;
  if (ratio > MAX_SIZE_RATIO || ratio < 1 / MAX_SIZE_RATIO) return undefined;
  const expected = boxCentre(track.box);
  const found = boxCentre(box);
  const distance = Math.hypot(found.x - expected.x, found.y - expected.y);
  const cost = distance / (GATE_FACE_HEIGHTS * track.box.h + 3 * track.positionSigma);
  return cost < 1 ? cost : undefined;
}

/** By overlap: for detections too poor to be believed elsewhere. */
export function iouCost(track: Track, { box }: Detection): number | undefined {
  const overlap = iou(track.box, box);
  return overlap > 0.3 ? 1 - overlap : undefined;
}

export interface Association {
  readonly pairs: readonly (readonly [Track, Detection])[];
  /** What found no partner. */
  readonly tracks: readonly Track[];
  readonly detections: readonly Detection[];
}

/** Pairs tracks with detections, cheapest pairs first, each at most once. */
export function associate(
  tracks: readonly Track[],
  detections: readonly Detection[],
  cost: Cost,
): Association {
  const candidates = tracks
    .flatMap((track) =>
      detections.map((detection) => ({ track, detection, cost: cost(track, detection) ?? Infinity })),
    )
    .filter((candidate) => candidate.cost < Infinity)
    .sort((a, b) => a.cost - b.cost);
  const pairs = new Map<Track, Detection>();
  const taken = new Set<Detection>();
  for (const { track, detection } of candidates) {
    if (pairs.has(track) || taken.has(detection)) continue;
    pairs.set(track, detection);
    taken.add(detection);
  }
  return {
    pairs: [...pairs],
    tracks: tracks.filter((track) => !pairs.has(track)),
    detections: detections.filter((detection) => !taken.has(detection)),
  };
}
