import type { FrameStamp, Micros } from './frame.ts';

/** Edge of a face crop in pixels; both members of the ensemble read 112×112 RGB. */
export const CROP_SIZE = 112;
/** Bytes of one crop: 112×112×3, RGB, row-major, interleaved. */
export const CROP_BYTES = CROP_SIZE * CROP_SIZE * 3;

/** Pixels of the source frame, origin top left; may reach past the frame's edge. */
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

/** BlazeFace's six keypoints in source pixels; right and left are the subject's own. */
export interface FaceKeypoints {
  readonly rightEye: Point;
  readonly leftEye: Point;
  readonly nose: Point;
  readonly mouth: Point;
  readonly rightEar: Point;
  readonly leftEar: Point;
}

/** One face followed through frames. `trackId` is unique within (cameraId, epoch), counting from 1. */
export interface FaceTrack {
  readonly trackId: number;
  readonly box: Box;
  readonly keypoints: FaceKeypoints;
  /** Detector score of the newest detection, 0…1. */
  readonly score: number;
}

/** Why a face's scores cannot be trusted; such a face is published with null scores. */
export type UnreliableReason = 'too_small' | 'too_turned' | 'too_blurred' | 'corrupt_video';

/** What is known of a crop's fitness, each part measured, `score` their product-like summary in 0…1. */
export interface CropQuality {
  readonly score: number;
  /** Box height in source pixels. */
  readonly faceHeight: number;
  /** 0 (no detail) … 1 (crisp), from the crop's own gradients. */
  readonly sharpness: number;
  /** Degrees, positive to the subject's left; an estimate from the keypoints. */
  readonly yaw: number;
  /** Degrees, positive up; an estimate from the keypoints. */
  readonly pitch: number;
  /** Degrees in the image plane, clockwise. */
  readonly roll: number;
  /** Detector score, 0…1. */
  readonly detection: number;
  readonly unreliable: UnreliableReason | null;
}

/** One aligned face of one frame. */
export interface FaceCrop extends FrameStamp {
  readonly trackId: number;
  readonly box: Box;
  readonly quality: CropQuality;
  /** `CROP_BYTES` bytes, RGB. */
  readonly pixels: Uint8Array;
}

/** All that one analysed frame gives: its crops, and the tracks that ended with it. */
export interface FrameFaces extends FrameStamp {
  readonly crops: readonly FaceCrop[];
  /** Tracks of this epoch that are over; no crop of theirs follows. */
  readonly endedTracks: readonly number[];
  /** When the camera child looked for faces in it. */
  readonly analysed?: { readonly from: Micros; readonly to: Micros };
}

/** A crop as events know it: everything but the pixels. */
export type FaceStamp = Omit<FaceCrop, 'pixels'>;
