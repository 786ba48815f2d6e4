import type { Box, FaceKeypoints, Point } from '../domain/face.ts';
import { intersectionArea, iou, type Similarity, scaleOf, transformPoint } from './geometry.ts';
import { ANCHOR_GRIDS, ANCHOR_VALUES } from './nets/blazeface.ts';

/** A region of interest of the frame: a detector input. */
export interface Region {
  /** Size of the detector input in its own pixels, multiples of 32. */
  readonly width: number;
  readonly height: number;
  /** Similarity from detector input to frame coordinates. */
  readonly toFrame: Similarity;
}

/** A detected face in frame coordinates. */
export interface Detection {
  /** 0…1. */
  readonly score: number;
  readonly box: Box;
  readonly keypoints: FaceKeypoints;
}

/** IoU above which two detections are the same face. */
const SAME_FACE_IOU = 0.3;
/** Share of the smaller box's area inside the other box, above which two detections are the same face. */
const SAME_FACE_CONTAINMENT = 0.6;

/**
 * Decodes the anchors with a score of at least `minScore` to frame coordinates, best first.
 *
 * @param logits (anchors): score logits, grid by grid, row by row, cell by cell
 * @param values (anchors, 16): box and keypoints per anchor, in detector input pixels relative to the anchor
 */
export function decodeDetections(
  logits: Float32Array,
  values: Float32Array,
  region: Region,
  minScore: number,
): Detection[] {
  const minLogit = Math.log(minScore / (1 - minScore));
  const detections: Detection[] = [];
  let anchor = 0;
  for (const { stride, perCell } of ANCHOR_GRIDS) {
    const columns = region.width / stride;
    const cells = columns * (region.height / stride);
    for (let i = 0; i < cells * perCell; i++, anchor++) {
      if (logits[anchor]! < minLogit) continue;
      const cell = Math.floor(i / perCell);
      const x = ((cell % columns) + 0.5) * stride;
      const y = (Math.floor(cell / columns) + 0.5) * stride;
      detections.push(
        decodeAnchor(logits[anchor]!, values, anchor * ANCHOR_VALUES, { x, y }, region.toFrame),
      );
    }
  }
  return detections.sort((a, b) => b.score - a.score);
}

function decodeAnchor(
  logit: number,
  values: Float32Array,
  offset: number,
  anchor: Point,
  toFrame: Similarity,
): Detection {
  const point = (i: number) =>
    transformPoint(toFrame, { x: anchor.x + values[offset + i]!, y: anchor.y + values[offset + i + 1]! });
  const scale = scaleOf(toFrame);
  const centre = point(0);
  const [w, h] = [values[offset + 2]! * scale, values[offset + 3]! * scale];
  return {
    score: 1 / (1 + Math.exp(-logit)),
    box: { x: centre.x - w / 2, y: centre.y - h / 2, w, h },
    keypoints: {
      rightEye: point(4),
      leftEye: point(6),
      nose: point(8),
      mouth: point(10),
      rightEar: point(12),
      leftEar: point(14),
    },
  };
}

/**
 * Non-maximum suppression within one region, by blending (Bazarevsky et al. 2019, section 3.4): overlapping detections
 * become their score-weighted mean, which jitters less than the best of them.
 *
 * @param sorted best first
 */
export function blendOverlapping(sorted: readonly Detection[]): Detection[] {
  const faces: Detection[] = [];
  let rest = sorted;
  while (rest.length > 0) {
    const best = rest[0]!;
    const group = rest.filter((other) => iou(best.box, other.box) > SAME_FACE_IOU || other === best);
    rest = rest.filter((other) => !group.includes(other));
    faces.push(weightedMean(group));
  }
  return faces;
}

/** The mean of detections weighted by score; the score is that of the first, best one. */
function weightedMean(group: readonly Detection[]): Detection {
  const total = group.reduce((sum, { score }) => sum + score, 0);
  const mean = (read: (detection: Detection) => number) =>
    group.reduce((sum, detection) => sum + read(detection) * detection.score, 0) / total;
  const point = (name: keyof FaceKeypoints) => ({
    x: mean(({ keypoints }) => keypoints[name].x),
    y: mean(({ keypoints }) => keypoints[name].y),
  });
  return {
    score: group[0]!.score,
    box: {
      x: mean(({ box }) => box.x),
      y: mean(({ box }) => box.y),
      w: mean(({ box }) => box.w),
      h: mean(({ box }) => box.h),
    },
    keypoints: {
      rightEye: point('rightEye'),
      leftEye: point('leftEye'),
      nose: point('nose'),
      mouth: point('mouth'),
      rightEar: point('rightEar'),
      leftEar: point('leftEar'),
    },
  };
}

/** Non-maximum suppression across regions: keeps the best detection of each face. Sorts `detections` in place. */
export function suppressDuplicates(detections: Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const detection of detections.sort((a, b) => b.score - a.score))
    if (!kept.some((other) => isSameFace(other.box, detection.box))) kept.push(detection);
  return kept;
}

/** Whether two boxes overlap so much that they must show the same face. */
export function isSameFace(a: Box, b: Box): boolean {
  return (
    iou(a, b) > SAME_FACE_IOU ||
    intersectionArea(a, b) > SAME_FACE_CONTAINMENT * Math.min(a.w * a.h, b.w * b.h)
  );
}
