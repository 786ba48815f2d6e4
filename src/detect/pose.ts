import type { FaceKeypoints } from '../domain/face.ts';

/** Degrees: yaw to the subject's left, pitch up, roll clockwise in the picture. */
export interface HeadPose {
  readonly yaw: number;
  readonly pitch: number;
  readonly roll: number;
}

/** Mesh points: beside the ears, top of the forehead, chin. */
const RIGHT_SIDE = 234;
const LEFT_SIDE = 454;
const FOREHEAD = 10;
const CHIN = 152;
/** The mesh exaggerates depth; with this its yaw agrees with a landmark model's head pose (measured on portraits). */
const DEPTH_SCALE = 0.87;
/** Pitch of the line from chin to forehead where that model says that the face looks straight ahead. */
const LEVEL_PITCH = -3.4;
/** How far the nose leaves the middle between the ears, in half their distance, at small yaw; same source. */
const NOSE_OFFSET_PER_TANGENT = 2.1;

/** Pose from the depth of a mesh (468 × x, y, z). */
export function meshPose(points: Float32Array): HeadPose {
  const across = difference(points, LEFT_SIDE, RIGHT_SIDE);
  const up = difference(points, FOREHEAD, CHIN);
  return {
    yaw: degrees(Math.atan2(DEPTH_SCALE * across.z, Math.hypot(across.x, across.y))),
    pitch: degrees(Math.atan2(DEPTH_SCALE * up.z, Math.hypot(up.x, up.y))) - LEVEL_PITCH,
    roll: degrees(Math.atan2(across.y, across.x)),
  };
}

/** Pose from the detector's keypoints alone: coarse, for faces that the mesh does not fit. */
export function keypointPose({ rightEye, leftEye, nose, mouth, rightEar, leftEar }: FaceKeypoints): HeadPose {
  const roll = Math.atan2(leftEye.y - rightEye.y, leftEye.x - rightEye.x);
  const along = (x: number, y: number) => x * Math.cos(roll) + y * Math.sin(roll);
  const down = (x: number, y: number) => y * Math.cos(roll) - x * Math.sin(roll);
  const middle = { x: (rightEar.x + leftEar.x) / 2, y: (rightEar.y + leftEar.y) / 2 };
  const half = Math.abs(along(leftEar.x - rightEar.x, leftEar.y - rightEar.y)) / 2;
  const side = along(nose.x - middle.x, nose.y - middle.y) / Math.max(half, 1e-6);
  const eyes = { x: (rightEye.x + leftEye.x) / 2, y: (rightEye.y + leftEye.y) / 2 };
  const height = down(mouth.x - eyes.x, mouth.y - eyes.y);
  const noseAt = down(nose.x - eyes.x, nose.y - eyes.y) / Math.max(height, 1e-6);
  return {
    yaw: degrees(Math.atan(side / NOSE_OFFSET_PER_TANGENT)),
    pitch: degrees(Math.asin(Math.max(-1, Math.min(1, 2 * (0.5 - noseAt))))),
    roll: degrees(roll),
  };
}

function difference(points: Float32Array, to: number, from: number): { x: number; y: number; z: number } {
  const at = (i: number) => points[3 * to + i]! - points[3 * from + i]!;
  return { x: at(0), y: at(1), z: at(2) };
}

function degrees(radians: number): number {
  return (radians * 180) / Math.PI;
}
