import type { Box, FaceKeypoints, Point } from '../domain/face.ts';
import { iou, transformPoint, intersectionArea, type Similarity } from './geometry.ts';
import { ANCHOR_GRIDS, ANCHOR_VALUES } from './nets/blazeface.ts';

/** A part of a frame as the detector looks at it. */
export interface Region {
  /** Pixels of the detector's input, multiples of 32. */
  readonly width: number;
  readonly height: number;
  /** From them to the frame. */
  readonly toFrame: Similarity;
}

export interface Detection {
  /** 0…1. */
  readonly score: number;
  readonly box: Box;
  readonly keypoints: FaceKeypoints;
}

/** Detections of one region that overlap more than this are one face. */
const SAME_FACE_IOU = 0.3;
/** One box that lies in another by this part of its area is the same face too. */
const SAME_FACE_CONTAINMENT = 0.6;

/** Anchors whose score suffices, decoded into frame coordinates, best first. */
export function decodeDetections(
  logits: Float32Array,
  values: Float32Array,
  region: Region,
  minScore: number,
): Detection[] {
  const least = Math.log(minScore / (1 - minScore));
  const found: Detection[] = [];
  let anchor = 0;
  for (const { stride, perCell } of ANCHOR_GRIDS) {
    const columns = region.width / stride;
    const cells = columns * (region.height / stride);
    for (let i = 0; i < cells * perCell; i++, anchor++) {
      if (logits[anchor]! < least) continue;
      const cell = Math.floor(i / perCell);
      const x = ((cell % columns) + 0.5) * stride;
      const y = (Math.floor(cell / columns) + 0.5) * stride;
      found.push(decodeAnchor(logits[anchor]!, values, anchor * ANCHOR_VALUES, { x, y }, region.toFrame));
    }
  }
  return found.sort((a, b) => b.score - a.score);
}

function decodeAnchor(
  logit: number,
  values: Float32Array,
  at: number,
  anchor: Point,
  toFrame: Similarity,
): Detection {
  const point = (i: number) =>
    transformPoint(toFrame, { x: anchor.x + values[at + i]!, y: anchor.y + values[at + i + 1]! });
  const scale = Math.hypot(toFrame.a, toFrame.b);
  const centre = point(0);
  const [w, h] = [values[at + 2]! * scale, values[at + 3]! * scale];
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

/** Overlapping answers of one look become their mean, weighted by score: steadier than the best one alone. */
export function blendOverlapping(sorted: readonly Detection[]): Detection[] {
  const faces: Detection[] = [];
  let rest = sorted;
  while (rest.length > 0) {
    const best = rest[0]!;
    const group = rest.filter((other) => iou(best.box, other.box) > SAME_FACE_IOU || other === best);
    rest = rest.filter((other) => !group.includes(other));
    const total = group.reduce((sum, { score }) => sum + score, 0);
    const mean = (of: (detection: Detection) => number) =>
      group.reduce((sum, detection) => sum + of(detection) * detection.score, 0) / total;
    const point = (name: keyof FaceKeypoints) => ({
      x: mean(({ keypoints }) => keypoints[name].x),
      y: mean(({ keypoints }) => keypoints[name].y),
    });
    faces.push({
      score: best.score,
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
    });
  }
  return faces;
}

/** Each face once though several regions saw it. */
export function suppressDuplicates(detections: Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const detection of detections.sort((a, b) => b.score - a.score))
    if (!kept.some((other) => isSameFace(other.box, detection.box))) kept.push(detection);
  return kept;
}

/** Whether two boxes can only be of one face. */
export function isSameFace(a: Box, b: Box): boolean {
  return iou(a, b) > SAME_FACE_IOU || intersectionArea(a, b) > SAME_FACE_CONTAINMENT * Math.min(a.w * a.h, b.w * b.h);
}
