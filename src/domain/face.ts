import type { FrameStamp, Micros } from './frame.ts';

/** Edge length of a face crop in pixels; both members of the ensemble take 112×112 RGB. */
export const CROP_SIZE = 112;
/** Bytes of one crop: 112×112×3, RGB, row-major, interleaved. */
export const CROP_BYTES = CROP_SIZE * CROP_SIZE * 3;

/** Rectangle in pixels of the source frame, origin top left; may extend beyond the frame. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** BlazeFace's six keypoints in source pixels; right and left are the subject's. */
export interface FaceKeypoints {
  readonly rightEye: Point;
  readonly leftEye: Point;
  readonly nose: Point;
  readonly mouth: Point;
  readonly rightEar: Point;
  readonly leftEar: Point;
}

/** One face tracked through frames. `trackId` is unique within (cameraId, epoch), counting from 1. */
export interface FaceTrack {
  readonly trackId: number;
  readonly box: Box;
  readonly keypoints: FaceKeypoints;
  /** Detector score of the newest detection, 0…1. */
  readonly score: number;
}

/** Why a face is unreliable; it is published with null scores. */
export type UnreliableReason = 'too_small' | 'too_turned' | 'too_blurred' | 'corrupt_video';

/** Measured quality of a crop; `score` combines the measurements, 0…1. */
export interface CropQuality {
  readonly score: number;
  /** Box height in source pixels. */
  readonly faceHeight: number;
  /** 0 (blurred) … 1 (sharp), from the crop's gradients. */
  readonly sharpness: number;
  /** Degrees, positive to the subject's left; estimated from the keypoints. */
  readonly yaw: number;
  /** Degrees, positive up; estimated from the keypoints. */
  readonly pitch: number;
  /** Degrees in the image plane, clockwise. */
  readonly roll: number;
  /** Detector score, 0…1. */
  readonly detection: number;
  readonly unreliable: UnreliableReason | null;
}

/** One aligned face crop of one frame. */
export interface FaceCrop extends FrameStamp {
  readonly trackId: number;
  readonly box: Box;
  readonly quality: CropQuality;
  /** Ids of the camera's zones in which the centre of the box lies, in the order of the config. */
  readonly zones: readonly string[];
  /** `CROP_BYTES` bytes, (112, 112, 3), RGB. */
  readonly pixels: Uint8Array;
}

/** The result of one analysed frame: its crops, and the tracks that ended with it. */
export interface FrameFaces extends FrameStamp {
  readonly crops: readonly FaceCrop[];
  /** Tracks of this epoch that ended; no crop of them follows. */
  readonly endedTracks: readonly number[];
  /** Faces that were found and left out because their centre lies in a mask. */
  readonly masked?: number;
  /** When face detection ran in the camera process. */
  readonly analysed?: { readonly from: Micros; readonly to: Micros };
}

/** A crop without its pixels. */
export type FaceStamp = Omit<FaceCrop, 'pixels'>;
