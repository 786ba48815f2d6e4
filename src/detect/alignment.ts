import { type Box, CROP_SIZE, type FaceKeypoints, type Point } from '../domain/face.ts';
import {
  centroid,
  fitSimilarity,
  invert,
  type RotatedSquare,
  scaleOf,
  squareToFrame,
  transformPoint,
} from './geometry.ts';

/**
 * Alignment template: right eye centre, left eye centre, nose tip and mouth centre in crop pixels (112×112), as in
 * training (`training/austream_training/synthetic/head.py`). Pixel centres are whole numbers there and at + 0.5 here.
 */
export const CROP_TEMPLATE: readonly Point[] = [
  { x: 38.29 + 0.5, y: 51.7 + 0.5 },
  { x: 73.53 + 0.5, y: 51.5 + 0.5 },
  { x: 56.03 + 0.5, y: 71.74 + 0.5 },
  { x: 56.14 + 0.5, y: 92.28 + 0.5 },
];

/**
 * Templates for the keypoints of mesh and detector, which differ from training's landmark model by a constant offset:
 * the mean difference in crop pixels over 120 portraits.
 */
export const MESH_TEMPLATE = shiftTemplate([-0.53, -0.16], [0.26, -0.05], [-0.23, -0.47], [-0.02, -0.05]);
export const DETECTOR_TEMPLATE = shiftTemplate([-1.06, 0.55], [0.98, 0.41], [-0.48, 2.6], [-0.58, 4.29]);

/** Input square of the mesh network in crop pixels (centre, side); the mesh then fills two thirds of its input. */
const MESH_INPUT = { x: 56.5, y: 71.5, side: 150 };

/** Mesh landmarks that correspond to the 68-point scheme's eyes (6 each), nose tip, mouth corners and inner lips. */
const RIGHT_EYE = [33, 160, 158, 133, 153, 144];
const LEFT_EYE = [362, 385, 387, 263, 373, 380];
const NOSE_TIP = 4;
const MOUTH_CORNERS = [61, 291];
const INNER_LIPS = [78, 82, 13, 312, 308, 317, 14, 87];
/** Landmarks in front of the ears, close to BlazeFace's ear keypoints. */
const RIGHT_EAR = 234;
const LEFT_EAR = 454;

/** Mesh landmarks (468, 3) → keypoints as training defines them; the ears are approximate. */
export function meshKeypoints(points: Float32Array): FaceKeypoints {
  const landmark = (i: number) => ({ x: points[3 * i]!, y: points[3 * i + 1]! });
  const corners = centroid(MOUTH_CORNERS.map(landmark));
  const lips = centroid(INNER_LIPS.map(landmark));
  return {
    rightEye: centroid(RIGHT_EYE.map(landmark)),
    leftEye: centroid(LEFT_EYE.map(landmark)),
    nose: landmark(NOSE_TIP),
    mouth: { x: (corners.x + lips.x) / 2, y: (corners.y + lips.y) / 2 },
    rightEar: landmark(RIGHT_EAR),
    leftEar: landmark(LEFT_EAR),
  };
}

function shiftTemplate(...offsets: readonly (readonly [number, number])[]): readonly Point[] {
  return CROP_TEMPLATE.map(({ x, y }, i) => ({ x: x + offsets[i]![0], y: y + offsets[i]![1] }));
}

/** The square of the frame that becomes the crop: the similarity that fits four keypoints to `template` (crop pixels). */
export function cropSquare(keypoints: FaceKeypoints, template: readonly Point[]): RotatedSquare {
  const { rightEye, leftEye, nose, mouth } = keypoints;
  const toFrame = invert(fitSimilarity([rightEye, leftEye, nose, mouth], template));
  const half = CROP_SIZE / 2;
  return {
    centre: {
      x: (toFrame.a - toFrame.b) * half + toFrame.tx,
      y: (toFrame.b + toFrame.a) * half + toFrame.ty,
    },
    side: CROP_SIZE * scaleOf(toFrame),
    roll: Math.atan2(toFrame.b, toFrame.a),
  };
}

/** Input square of the mesh network for a face whose crop is `crop`. */
export function meshInputSquare(crop: RotatedSquare): RotatedSquare {
  const centre = transformPoint(squareToFrame(CROP_SIZE, crop), MESH_INPUT);
  return { centre, side: (crop.side * MESH_INPUT.side) / CROP_SIZE, roll: crop.roll };
}

/** Axis-aligned bounding box of mesh landmarks (468, 3), forehead to chin. */
export function meshBox(points: Float32Array): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 3) {
    left = Math.min(left, points[i]!);
    right = Math.max(right, points[i]!);
    top = Math.min(top, points[i + 1]!);
    bottom = Math.max(bottom, points[i + 1]!);
  }
  return { x: left, y: top, w: right - left, h: bottom - top };
}
