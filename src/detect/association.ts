import type { Detection } from './detections.ts';
import { boxCentre, iou } from './geometry.ts';
import type { Track } from './track.ts';

/** Cost of pairing a track with a detection: 0 (perfect) … 1 (barely possible); undefined outside the gate. */
type Cost = (track: Track, detection: Detection) => number | undefined;

/** Gate on size: the face heights of track and detection differ by less than this ratio. */
const MAX_SIZE_RATIO = 1.8;
/** Gate on distance: this many face heights plus `GATE_SIGMAS` standard deviations of the predicted position. */
const GATE_FACE_HEIGHTS = 1;
const GATE_SIGMAS = 3;
/** IoU above which a low-score detection may continue a track. */
const MIN_IOU = 0.3;

/** Distance from the predicted position, for faces that may have moved while unseen. */
export function distanceCost(track: Track, { box }: Detection): number | undefined {
  const ratio = box.h / track.box.h;
  if (ratio > MAX_SIZE_RATIO || ratio < 1 / MAX_SIZE_RATIO) return undefined;
  const predicted = boxCentre(track.box);
  const detected = boxCentre(box);
  const distance = Math.hypot(detected.x - predicted.x, detected.y - predicted.y);
  const cost = distance / (GATE_FACE_HEIGHTS * track.box.h + GATE_SIGMAS * track.positionSigma);
  return cost < 1 ? cost : undefined;
}

/** 1 − IoU, for low-score detections, which count only at the predicted position. */
export function iouCost(track: Track, { box }: Detection): number | undefined {
  const overlap = iou(track.box, box);
  return overlap > MIN_IOU ? 1 - overlap : undefined;
}

interface Association {
  readonly pairs: readonly (readonly [Track, Detection])[];
  readonly unmatchedTracks: readonly Track[];
  readonly unmatchedDetections: readonly Detection[];
}

/** Greedy association: pairs tracks with detections by ascending cost; each is in at most one pair. */
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
  const matched = new Set<Detection>();
  for (const { track, detection } of candidates) {
    if (pairs.has(track) || matched.has(detection)) continue;
    pairs.set(track, detection);
    matched.add(detection);
  }
  return {
    pairs: [...pairs],
    unmatchedTracks: tracks.filter((track) => !pairs.has(track)),
    unmatchedDetections: detections.filter((detection) => !matched.has(detection)),
  };
}
