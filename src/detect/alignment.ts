import { type Box, CROP_SIZE, type FaceKeypoints, type Point } from '../domain/face.ts';
import { fitSimilarity, invert, transformPoint, centroid, scaleOf, squareToFrame } from './geometry.ts';
import type { RotatedSquare } from './mesh.ts';

/**
 * Where the right eye's centre, the left eye's, the nose tip and the mouth's centre lie in every crop, as in the
 * training of the models (`training/austream_training/synthetic/head.py`), whose pixel centres are whole numbers
 * where ours are halves.
 */
export const CROP_TEMPLATE: readonly Point[] = [
  { x: 38.29 + 0.5, y: 51.7 + 0.5 },
  { x: 73.53 + 0.5, y: 51.5 + 0.5 },
  { x: 56.03 + 0.5, y: 71.74 + 0.5 },
  { x: 56.14 + 0.5, y: 92.28 + 0.5 },
];

/**
 * What this mesh and the detector call these four points lies a little beside what the training does: the mean
 * difference in crop pixels, measured on 120 portraits against the landmark model of the training.
 */
export const MESH_TEMPLATE = shiftTemplate([-0.53, -0.16], [0.26, -0.05], [-0.23, -0.47], [-0.02, -0.05]);
export const DETECTOR_TEMPLATE = shiftTemplate([-1.06, 0.55], [0.98, 0.41], [-0.48, 2.6], [-0.58, 4.29]);

/** The square that the mesh is fitted in, relative to the crop: a face's mesh fills two thirds of it. */
const MESH_INPUT = { x: 56.5, y: 71.5, side: 150 };

/** The mesh's points that stand for the 68-point scheme's eyes (6 each), nose tip, mouth corners and inner lips. */
const RIGHT_EYE = [33, 160, 158, 133, 153, 144];
const LEFT_EYE = [362, 385, 387, 263, 373, 380];
const NOSE_TIP = 4;
const MOUTH_CORNERS = [61, 291];
const INNER_LIPS = [78, 82, 13, 312, 308, 317, 14, 87];
/** In front of the ears, about where BlazeFace puts them. */
const RIGHT_EAR = 234;
const LEFT_EAR = 454;

/** Mesh points (468 × x, y, z) → keypoints as the training defines them, the ears roughly. */
export function meshKeypoints(points: Float32Array): FaceKeypoints {
  const at = (i: number) => ({ x: points[3 * i]!, y: points[3 * i + 1]! });
  const corners = centroid(MOUTH_CORNERS.map(at));
  const lips = centroid(INNER_LIPS.map(at));
  return {
    rightEye: centroid(RIGHT_EYE.map(at)),
    leftEye: centroid(LEFT_EYE.map(at)),
    nose: at(NOSE_TIP),
    mouth: { x: (corners.x + lips.x) / 2, y: (corners.y + lips.y) / 2 },
    rightEar: at(RIGHT_EAR),
    leftEar: at(LEFT_EAR),
  };
}

function shiftTemplate(...by: readonly (readonly [number, number])[]): readonly Point[] {
  return CROP_TEMPLATE.map(({ x, y }, i) => ({ x: x + by[i]![0], y: y + by[i]![1] }));
}

/** The square of the frame that becomes the crop. `template`: where the keypoints shall lie in it. */
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

/** Where the mesh of a face is fitted, by where its crop lies. */
export function meshInputSquare(crop: RotatedSquare): RotatedSquare {
  const centre = transformPoint(squareToFrame(CROP_SIZE, crop), MESH_INPUT);
  return { centre, side: (crop.side * MESH_INPUT.side) / CROP_SIZE, roll: crop.roll };
}

/** The upright box around a mesh, forehead to chin. */
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
