import type { FaceKeypoints } from '../domain/face.ts';

/** Head pose in degrees: yaw positive to the subject's left, pitch positive up, roll clockwise in the picture. */
export interface HeadPose {
  readonly yaw: number;
  readonly pitch: number;
  readonly roll: number;
}

/** Mesh landmarks: beside the ears, top of the forehead, chin. */
const RIGHT_SIDE = 234;
const LEFT_SIDE = 454;
const FOREHEAD = 10;
const CHIN = 152;
/** Scale of the mesh's exaggerated depth; fitted on portraits to the yaw of a landmark model's head pose. */
const DEPTH_SCALE = 0.87;
/** Pitch, in degrees, of the line from chin to forehead when that model reports a face looking straight ahead. */
const LEVEL_PITCH = -3.4;
/** Nose offset from the middle between the ears, in half ear distances, per tan(yaw); same source. */
const NOSE_OFFSET_PER_TANGENT = 2.1;

/** Head pose from the depth of mesh landmarks (468, 3). */
export function meshPose(points: Float32Array): HeadPose {
  const across = difference(points, LEFT_SIDE, RIGHT_SIDE);
  const up = difference(points, FOREHEAD, CHIN);
  return {
    yaw: degrees(Math.atan2(DEPTH_SCALE * across.z, Math.hypot(across.x, across.y))),
    pitch: degrees(Math.atan2(DEPTH_SCALE * up.z, Math.hypot(up.x, up.y))) - LEVEL_PITCH,
    roll: degrees(Math.atan2(across.y, across.x)),
  };
}

/** Head pose from the detector's keypoints: coarse, for faces that the mesh does not fit. */
export function keypointPose({ rightEye, leftEye, nose, mouth, rightEar, leftEar }: FaceKeypoints): HeadPose {
  const roll = Math.atan2(leftEye.y - rightEye.y, leftEye.x - rightEye.x);
  const along = (x: number, y: number) => x * Math.cos(roll) + y * Math.sin(roll);
  const down = (x: number, y: number) => y * Math.cos(roll) - x * Math.sin(roll);
  const earsMiddle = { x: (rightEar.x + leftEar.x) / 2, y: (rightEar.y + leftEar.y) / 2 };
  const halfEarDistance = Math.abs(along(leftEar.x - rightEar.x, leftEar.y - rightEar.y)) / 2;
  const noseOffset = along(nose.x - earsMiddle.x, nose.y - earsMiddle.y) / Math.max(halfEarDistance, 1e-6);
  const eyesMiddle = { x: (rightEye.x + leftEye.x) / 2, y: (rightEye.y + leftEye.y) / 2 };
  const eyesToMouth = down(mouth.x - eyesMiddle.x, mouth.y - eyesMiddle.y);
  const noseHeight = down(nose.x - eyesMiddle.x, nose.y - eyesMiddle.y) / Math.max(eyesToMouth, 1e-6);
  return {
    yaw: degrees(Math.atan(noseOffset / NOSE_OFFSET_PER_TANGENT)),
    pitch: degrees(Math.asin(Math.max(-1, Math.min(1, 2 * (0.5 - noseHeight))))),
    roll: degrees(roll),
  };
}

function difference(points: Float32Array, to: number, from: number): { x: number; y: number; z: number } {
  const component = (i: number) => points[3 * to + i]! - points[3 * from + i]!;
  return { x: component(0), y: component(1), z: component(2) };
}

function degrees(radians: number): number {
  return (radians * 180) / Math.PI;
}
