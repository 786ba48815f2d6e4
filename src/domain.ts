/**
 * The nouns of austream, one per stage boundary, in the order in which data flows:
 *
 *   Camera → Frame → FaceTrack → FaceCrop ┃ CropWindow → AuScores → SmoothedScores → AuFrame / AuActivation
 *
 * ┃ is the process boundary: everything left of it lives in one child process per camera.
 * All times are integer microseconds since the Unix epoch (`Micros`), except where `clockSource` is
 * `file`: then `captureTime` counts from the start of the file.
 */

/** Integer microseconds; safe as a JavaScript number until the year 2255. */
export type Micros = number;

/** The FACS Action Units of the paper (Vu et al. 2023, section 4.1), in the order of every score vector. */
export const ACTION_UNITS = [1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26] as const;
export const AU_COUNT = ACTION_UNITS.length;

/** Field names of the AUs in events: `au01` … `au26`. */
export const AU_NAMES = [
  'au01',
  'au02',
  'au04',
  'au06',
  'au07',
  'au10',
  'au12',
  'au15',
  'au23',
  'au24',
  'au25',
  'au26',
] as const;
export type AuName = (typeof AU_NAMES)[number];

/** Edge of a face crop in pixels; both members of the ensemble read 112×112 RGB. */
export const CROP_SIZE = 112;
/** Bytes of one crop: 112×112×3, RGB, row-major, interleaved. */
export const CROP_BYTES = CROP_SIZE * CROP_SIZE * 3;

/**
 * Where `captureTime` comes from: the camera's own clock through RTCP sender reports, the moment of
 * arrival on this host, or the media time of a file. They are never mixed within one epoch.
 */
export type ClockSource = 'rtcp' | 'arrival' | 'file';

/** What identifies one decoded frame and says when it was. */
export interface FrameStamp {
  readonly cameraId: string;
  /**
   * One uninterrupted run of one decoder. Live sources: the child's start in Unix milliseconds, so that
   * it never repeats; files: 0, 1, 2 … so that a replay gives the same event ids.
   */
  readonly epoch: number;
  /** Decoded frames since the epoch began, counting those that were not analysed. */
  readonly frame: number;
  readonly captureTime: Micros;
  readonly clockSource: ClockSource;
  /**
   * How far `captureTime` is ahead of this host's clock by what the sender reports say, the way of the packets
   * included, in milliseconds; null where there is nothing to compare (`arrival`, `file`).
   */
  readonly clockErrorMs: number | null;
  /** When this host took the frame from the decoder. */
  readonly receivedAt: Micros;
  /** Nominal distance between analysed frames of this stream; the smoother's unit of time. */
  readonly interval: Micros;
}

/** Planar YUV 4:2:0, limited range unless `fullRange`; planes are views, valid until the next frame. Strides are multiples of 4. */
export interface I420Image {
  readonly width: number;
  readonly height: number;
  readonly y: Uint8Array;
  readonly u: Uint8Array;
  readonly v: Uint8Array;
  readonly strideY: number;
  readonly strideC: number;
  readonly fullRange: boolean;
  /** Colour matrix of the stream. */
  readonly matrix: 'bt601' | 'bt709';
}

export interface Frame extends FrameStamp {
  readonly image: I420Image;
  /** The decoder reported damage in or just before this frame. */
  readonly corrupt: boolean;
}

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
export type Unreliable = 'too_small' | 'too_turned' | 'too_blurred' | 'corrupt_video';

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
  readonly unreliable: Unreliable | null;
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

/** Frame embeddings of the newest frames of one track, ready for the window encoder. */
export interface CropWindow {
  /** The newest crops, oldest first, whose scores this window shall give (at most `hop`). */
  readonly faces: readonly FaceStamp[];
  /** (256, D) row-major: one embedding per frame, edge-padded on the left while fewer exist. */
  readonly embeddings: Float32Array;
  /** Fewer than 256 real frames. */
  readonly warmup: boolean;
}

/** The ensemble's sigmoid scores of one face at one instant, in the order of `ACTION_UNITS`. */
export interface AuScores {
  readonly face: FaceStamp;
  readonly warmup: boolean;
  /** (12); null where the face is unreliable. */
  readonly raw: Float32Array | null;
}

export interface SmoothedScores extends AuScores {
  /** (12); null exactly where `raw` is. */
  readonly smoothed: Float32Array | null;
}

/** Which weights gave a score. */
export interface ModelStamp {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** False for randomly initialised weights: their scores mean nothing. */
  readonly trained: boolean;
}

export interface AuState {
  /** The ensemble's score of this frame, 0…1. */
  readonly raw: number;
  /** The causally smoothed score, 0…1. */
  readonly p: number;
  /** `p` ≥ the AU's threshold. */
  readonly active: boolean;
  /** What the model's own evaluation says this AU's score is worth: 0 chance … 1 perfect; null: unknown. */
  readonly reliability: number | null;
}

/** One face at one instant: what topic `au.frames` carries. */
export interface AuFrame extends FrameStamp {
  /** `cameraId/epoch/trackId/frame`: the same for a redelivery. */
  readonly eventId: string;
  readonly trackId: number;
  readonly inferredAt: Micros;
  readonly box: Box;
  readonly quality: CropQuality;
  readonly warmup: boolean;
  readonly model: ModelStamp;
  /** Null where the face is unreliable. */
  readonly aus: Readonly<Record<AuName, AuState | null>>;
}

export type ActivationPhase = 'ONSET' | 'OFFSET';

/** Why an activation ended. */
export type ActivationEnd =
  | 'below_threshold'
  | 'track_ended'
  | 'gap'
  | 'unreliable'
  | 'epoch_ended'
  | 'stopped';

/**
 * One AU of one face from its onset to its offset: what topic `au.activations` carries. The ONSET record comes
 * as soon as the AU has been active for the minimum duration; the OFFSET record of the same `activationId`
 * completes it.
 */
export interface AuActivation {
  /** `activationId/phase`: the same for a redelivery. */
  readonly eventId: string;
  /** `cameraId/epoch/trackId/au/onsetFrame`. */
  readonly activationId: string;
  readonly phase: ActivationPhase;
  readonly cameraId: string;
  readonly epoch: number;
  readonly trackId: number;
  readonly au: AuName;
  readonly clockSource: ClockSource;
  /** First frame at or above the onset threshold, in capture time. */
  readonly onset: Micros;
  /** The highest smoothed score so far, and when it was. */
  readonly apex: Micros;
  readonly peak: number;
  /** Mean smoothed score from onset until now. */
  readonly mean: number;
  /** Frames from onset until now. */
  readonly frames: number;
  /** Null while it lasts. */
  readonly offset: Micros | null;
  /** From onset to offset, or until now. */
  readonly duration: Micros;
  /** Null while it lasts. */
  readonly end: ActivationEnd | null;
  readonly reliability: number | null;
  readonly inferredAt: Micros;
  readonly model: ModelStamp;
}

/**
 * CONNECTING: no frame yet. LIVE: frames arrive. STALLED: frames ceased. RECONNECTING: the next try is due, whatever
 * the cause, a rejected password included. REFUSED: this machine has no room for one more camera. STOPPED: on purpose,
 * or a file is over.
 */
export type CameraState = 'CONNECTING' | 'LIVE' | 'STALLED' | 'RECONNECTING' | 'REFUSED' | 'STOPPED';

/** A hole in a camera's data. */
export interface Gap {
  readonly from: Micros;
  readonly to: Micros;
  readonly cause: string;
  readonly framesLost: number | null;
}

/** What topic `au.cameras` carries: the newest record per camera is its present state. */
export interface CameraStatus {
  readonly cameraId: string;
  readonly at: Micros;
  readonly state: CameraState;
  /** When this state began. */
  readonly since: Micros;
  readonly previous: CameraState | null;
  /** Machine-readable cause of the newest transition: an error code, or what happened. */
  readonly cause: string;
  /** One sentence for a person, free of credentials. */
  readonly detail: string;
  readonly epoch: number | null;
  readonly restarts: number;
  readonly width: number | null;
  readonly height: number | null;
  readonly codec: string | null;
  /** Analysed frames per second over the last report interval. */
  readonly fps: number | null;
  /** Most frames a second that are analysed now: what the config allows, or less while the machine is overloaded. */
  readonly analysisFps: number | null;
  /** Age of the newest frame, counted from the decoder, when its faces reached the host process. */
  readonly lagMs: number | null;
  /** How far the camera's own clock is ahead of this host's, the way of the packets included; null: not known. */
  readonly clockErrorMs: number | null;
  /**
   * By how many parts in a million the clock behind `captureTime` (arrival: the one that paces the camera's stream) is
   * faster than this host's; null until an epoch has lasted for a while.
   */
  readonly driftPpm: number | null;
  /** Frames not analysed since the epoch began, by cause; `analysis_fps` are those that the config thins out. */
  readonly drops: Readonly<Record<string, number>>;
  readonly gap: Gap | null;
}

/** The key of every record of one face: `cameraId/trackId`. */
export function faceKey(face: { cameraId: string; trackId: number }): string {
  return `${face.cameraId}/${face.trackId}`;
}

export function eventId(face: { cameraId: string; epoch: number; trackId: number; frame: number }): string {
  return `${face.cameraId}/${face.epoch}/${face.trackId}/${face.frame}`;
}
