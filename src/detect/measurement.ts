import type { Box, FaceKeypoints } from '../domain/face.ts';
import {
  cropSquare,
  DETECTOR_TEMPLATE,
  MESH_TEMPLATE,
  meshBox,
  meshInputSquare,
  meshKeypoints,
} from './alignment.ts';
import type { Detection } from './detections.ts';
import type { RotatedSquare } from './geometry.ts';
import type { Mesh } from './mesh.ts';
import { type HeadPose, keypointPose, meshPose } from './pose.ts';

/** Mesh presence (0…1) from which the square counts as showing a face. */
const MIN_PRESENCE = 0.5;

/** Measurement of one face in one frame, in frame coordinates. */
export interface Measurement {
  /** The square that becomes the crop. */
  readonly square: RotatedSquare;
  readonly box: Box;
  readonly keypoints: FaceKeypoints;
  readonly pose: HeadPose;
  /** Whether the mesh measured it; the detector alone is less accurate. */
  readonly fromMesh: boolean;
}

/** Undefined if the presence is too low: no face is there. */
export function measureMesh({ presence, points }: Mesh): Measurement | undefined {
  if (presence < MIN_PRESENCE) return undefined;
  const keypoints = meshKeypoints(points);
  return {
    square: cropSquare(keypoints, MESH_TEMPLATE),
    box: meshBox(points),
    keypoints,
    pose: meshPose(points),
    fromMesh: true,
  };
}

export function measureDetection({ box, keypoints }: Detection): Measurement {
  return {
    square: cropSquare(keypoints, DETECTOR_TEMPLATE),
    box,
    keypoints,
    pose: keypointPose(keypoints),
    fromMesh: false,
  };
}

/** Where to fit a mesh to a detected face. */
export function detectionMeshSquare({ keypoints }: Detection): RotatedSquare {
  return meshInputSquare(cropSquare(keypoints, DETECTOR_TEMPLATE));
}
