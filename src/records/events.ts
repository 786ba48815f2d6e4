// Made by schemas/generate.ts from the schemas in schemas/. Do not edit.

/**
 * Where captureTime comes from. rtcp: the camera's clock through RTCP sender reports; arrival: when
 * the frame reached the host; file: media time of a file, counted from its start; unknown: a source
 * newer than the reader's schema. Never mixed within one epoch.
 */
export type ClockSource = 'rtcp' | 'arrival' | 'file' | 'unknown';

/** Axis-aligned box in pixels of the source frame, origin top left; may reach past the frame's edge. */
export interface Box {
  /** Left edge, pixels. */
  readonly x: number;
  /** Top edge, pixels. */
  readonly y: number;
  /** Width, pixels, > 0. */
  readonly w: number;
  /** Height, pixels, > 0. */
  readonly h: number;
}

/** Why a face's scores cannot be trusted; unknown: a reason newer than the reader's schema. */
export type Unreliable = 'too_small' | 'too_turned' | 'too_blurred' | 'corrupt_video' | 'unknown';

/** How fit the face's crop is for scoring; every part is measured. */
export interface CropQuality {
  /** Summary of the parts, 0 (useless) to 1 (ideal). */
  readonly score: number;
  /** Height of the face's box in source pixels. */
  readonly faceHeight: number;
  /** 0 (no detail) to 1 (crisp), from the crop's own gradients. */
  readonly sharpness: number;
  /** Head turn in degrees, positive to the subject's left; estimated from keypoints. */
  readonly yaw: number;
  /** Head nod in degrees, positive up; estimated from keypoints. */
  readonly pitch: number;
  /** Head tilt in the image plane in degrees, clockwise. */
  readonly roll: number;
  /** Score of the face detector, 0 to 1. */
  readonly detection: number;
  /** Null where the face is fit to be scored; otherwise why all of its AUs are null. */
  readonly unreliable: null | Unreliable;
}

/** Which weights gave the scores. */
export interface ModelStamp {
  /** Name of the model. */
  readonly name: string;
  /** Version of the model. */
  readonly version: string;
  /** SHA-256 of the weights, lower-case hex. */
  readonly sha256: string;
  /** False for randomly initialised weights: their scores mean nothing. */
  readonly trained: boolean;
}

/** One Action Unit of one face at one instant. */
export interface AuState {
  /** The ensemble's sigmoid score of this frame alone, 0 to 1. */
  readonly raw: number;
  /** The causally smoothed score, 0 to 1; the one to use. */
  readonly p: number;
  /** p is at or above the AU's threshold. */
  readonly active: boolean;
  /**
   * What the model's own evaluation says the scores of this AU are worth, 0 (chance) to 1 (perfect);
   * null where unknown.
   */
  readonly reliability: null | number;
}

/** One nullable field per Action Unit, so that new AUs are a compatible change. */
export interface AuSet {
  /**
   * AU1, inner brow raiser. Null where the face is unreliable (quality.unreliable) or the model does
   * not score it.
   */
  readonly au01: null | AuState;
  /**
   * AU2, outer brow raiser. Null where the face is unreliable (quality.unreliable) or the model does
   * not score it.
   */
  readonly au02: null | AuState;
  /**
   * AU4, brow lowerer. Null where the face is unreliable (quality.unreliable) or the model does not
   * score it.
   */
  readonly au04: null | AuState;
  /**
   * AU6, cheek raiser. Null where the face is unreliable (quality.unreliable) or the model does not
   * score it.
   */
  readonly au06: null | AuState;
  /**
   * AU7, lid tightener. Null where the face is unreliable (quality.unreliable) or the model does not
   * score it.
   */
  readonly au07: null | AuState;
  /**
   * AU10, upper lip raiser. Null where the face is unreliable (quality.unreliable) or the model does
   * not score it.
   */
  readonly au10: null | AuState;
  /**
   * AU12, lip corner puller. Null where the face is unreliable (quality.unreliable) or the model does
   * not score it.
   */
  readonly au12: null | AuState;
  /**
   * AU15, lip corner depressor. Null where the face is unreliable (quality.unreliable) or the model
   * does not score it.
   */
  readonly au15: null | AuState;
  /**
   * AU23, lip tightener. Null where the face is unreliable (quality.unreliable) or the model does not
   * score it.
   */
  readonly au23: null | AuState;
  /**
   * AU24, lip pressor. Null where the face is unreliable (quality.unreliable) or the model does not
   * score it.
   */
  readonly au24: null | AuState;
  /**
   * AU25, lips part. Null where the face is unreliable (quality.unreliable) or the model does not
   * score it.
   */
  readonly au25: null | AuState;
  /**
   * AU26, jaw drop. Null where the face is unreliable (quality.unreliable) or the model does not
   * score it.
   */
  readonly au26: null | AuState;
}

/**
 * One face at one instant: score and state of each Action Unit. Topic <prefix>frames, key
 * cameraId/trackId.
 */
export interface AuFrame {
  /** cameraId/epoch/trackId/frame: the same for a redelivery, so a consumer can drop it. */
  readonly eventId: string;
  /** The camera's id in the config; letters, digits, dot, dash, underscore. */
  readonly cameraId: string;
  /**
   * One uninterrupted run of one decoder: the start in Unix milliseconds for live sources, 0, 1, 2 …
   * for files. A new epoch starts new tracks and windows.
   */
  readonly epoch: number;
  /** One face followed through frames; unique within (cameraId, epoch), counted from 1. */
  readonly trackId: number;
  /** Decoded frames since the epoch began, those not analysed included. */
  readonly frame: number;
  /** When the frame was captured, by clockSource. Strictly increases per (cameraId, epoch, trackId). */
  readonly captureTime: number;
  /** Clock of captureTime. */
  readonly clockSource: ClockSource;
  /**
   * How far captureTime is ahead of this host's clock by what the camera's sender reports say, the
   * way of the packets included, in milliseconds: the size of its error where the host's clock is
   * right. Null where there is nothing to compare with (clockSource arrival or file).
   */
  readonly clockErrorMs: null | number;
  /** When the host took the frame from the decoder. */
  readonly receivedAt: number;
  /** When the scores were ready. */
  readonly inferredAt: number;
  /** Where the face is. */
  readonly box: Box;
  /** How fit the crop was. */
  readonly quality: CropQuality;
  /** Fewer than 256 frames of this track stood behind the score: it is less certain. */
  readonly warmup: boolean;
  /** Which weights gave the scores. */
  readonly model: ModelStamp;
  /** The Action Units. */
  readonly aus: AuSet;
}

/**
 * ONSET: the AU has been active for the minimum duration and lasts on; OFFSET: it is over. UNKNOWN:
 * a phase newer than the reader's schema.
 */
export type ActivationPhase = 'ONSET' | 'OFFSET' | 'UNKNOWN';

/**
 * Why an activation ended. below_threshold: the AU relaxed; the others: it was cut off, its true
 * end is not known; unknown: a reason newer than the reader's schema.
 */
export type ActivationEnd =
  | 'below_threshold'
  | 'track_ended'
  | 'gap'
  | 'unreliable'
  | 'epoch_ended'
  | 'stopped'
  | 'unknown';

/**
 * One Action Unit of one face from onset to offset. Topic <prefix>activations, key
 * cameraId/trackId. The OFFSET record completes the ONSET record of the same activationId.
 */
export interface AuActivation {
  /** activationId/phase: the same for a redelivery, so a consumer can drop it. */
  readonly eventId: string;
  /** cameraId/epoch/trackId/au/onsetFrame: joins ONSET and OFFSET. */
  readonly activationId: string;
  /** Which end of the activation this record tells of. */
  readonly phase: ActivationPhase;
  /** The camera's id in the config; letters, digits, dot, dash, underscore. */
  readonly cameraId: string;
  /**
   * One uninterrupted run of one decoder: the start in Unix milliseconds for live sources, 0, 1, 2 …
   * for files. A new epoch starts new tracks and windows.
   */
  readonly epoch: number;
  /** One face followed through frames; unique within (cameraId, epoch), counted from 1. */
  readonly trackId: number;
  /** Field name of the AU in AuFrame.aus: au01 … au26. */
  readonly au: string;
  /** Clock of onset, apex and offset. */
  readonly clockSource: ClockSource;
  /** First frame at or above the onset threshold, in capture time. */
  readonly onset: number;
  /** When the smoothed score was highest so far, in capture time. */
  readonly apex: number;
  /** The highest smoothed score so far, 0 to 1. */
  readonly peak: number;
  /** Mean smoothed score from onset until now, 0 to 1. */
  readonly mean: number;
  /** Frames from onset until now, ≥ 1. */
  readonly frames: number;
  /** End of the activation in capture time; null while it lasts (ONSET). */
  readonly offset: null | number;
  /** Microseconds from onset to offset, or until now while it lasts. */
  readonly duration: number;
  /** Why it ended; null while it lasts (ONSET). */
  readonly end: null | ActivationEnd;
  /**
   * What the model's own evaluation says the scores of this AU are worth, 0 (chance) to 1 (perfect);
   * null where unknown.
   */
  readonly reliability: null | number;
  /** When the scores were ready. */
  readonly inferredAt: number;
  /** Which weights gave the scores. */
  readonly model: ModelStamp;
}

/**
 * CONNECTING: no frame yet; LIVE: frames arrive; STALLED: frames ceased; RECONNECTING: waiting for
 * the next try, whatever the cause (after a rejected user or password it is tried rarely); REFUSED:
 * this machine has no room for one more camera, which is taken in as soon as it has; STOPPED: ended
 * on purpose, or a file is over; UNKNOWN: a state newer than the reader's schema.
 */
export type CameraState =
  | 'CONNECTING'
  | 'LIVE'
  | 'STALLED'
  | 'RECONNECTING'
  | 'REFUSED'
  | 'STOPPED'
  | 'UNKNOWN';

/** A hole in a camera's data. */
export interface Gap {
  /** Last instant before the hole, in capture time. */
  readonly from: number;
  /** First instant after it, in capture time. */
  readonly to: number;
  /** Machine-readable cause. */
  readonly cause: string;
  /** Frames lost; null where it cannot be known. */
  readonly framesLost: null | number;
}

/**
 * State of one camera: every transition, and a repetition every few seconds. Topic <prefix>cameras
 * (compacted), key cameraId: the newest record is the present state.
 */
export interface CameraStatus {
  /** The camera's id in the config; letters, digits, dot, dash, underscore. */
  readonly cameraId: string;
  /** When this was so. */
  readonly at: number;
  /** The present state. */
  readonly state: CameraState;
  /** When the present state began. */
  readonly since: null | number;
  /** The state before the newest transition; null for the first. */
  readonly previous: null | CameraState;
  /** Machine-readable cause of the newest transition: an error code, or what happened. */
  readonly cause: string;
  /** One sentence for a person, free of credentials. */
  readonly detail: string;
  /** The newest epoch; null before the first. */
  readonly epoch: null | number;
  /** Restarts since the camera was started. */
  readonly restarts: number;
  /** Width of the decoded picture in pixels; null before the first frame. */
  readonly width: null | number;
  /** Height of the decoded picture in pixels; null before the first frame. */
  readonly height: null | number;
  /** Codec of the stream, e.g. h264; null before the first frame. */
  readonly codec: null | string;
  /** Analysed frames a second over the last report interval; null while not LIVE. */
  readonly fps: null | number;
  /**
   * Most frames a second that are analysed now: what the config allows, or less while the machine is
   * overloaded; null while not LIVE.
   */
  readonly analysisFps: null | number;
  /**
   * Age of the newest frame, counted from the decoder, when its faces reached the host process, in
   * milliseconds; null while not LIVE. Scoring comes on top: inferredAt − receivedAt of au.frames.
   */
  readonly lagMs: null | number;
  /**
   * How far the camera's own clock is ahead of this host's by its sender reports, the way of the
   * packets included, in milliseconds; null where it sends none, and while not LIVE. A clock that is
   * too far off is not used for captureTime.
   */
  readonly clockErrorMs: null | number;
  /**
   * By how many parts in a million the clock behind captureTime (arrival: the one that paces the
   * stream) is faster than this host's; null before a minute of an epoch, and while not LIVE.
   */
  readonly driftPpm: null | number;
  /**
   * Frames not analysed since the epoch began, and events not delivered, by cause. analysis_fps:
   * thinned out to the rate that the config asks for; overload: thinned out beyond that
   * (analysisFps).
   */
  readonly drops: Readonly<Record<string, number>>;
  /** The hole that this record reports; null where it reports none. */
  readonly gap: null | Gap;
}

/**
 * How pixels are stored. RGB8: row-major, interleaved; JPEG: one JPEG file a crop; UNKNOWN: newer
 * than the reader's schema.
 */
export type CropEncoding = 'RGB8' | 'UNKNOWN' | 'JPEG';

/** One aligned face of one frame. */
export interface Crop {
  /** Decoded frames since the epoch began, those not analysed included. */
  readonly frame: number;
  /** When the frame was captured, by clockSource. Strictly increases per (cameraId, epoch, trackId). */
  readonly captureTime: number;
  /**
   * How far captureTime is ahead of this host's clock by what the camera's sender reports say, the
   * way of the packets included, in milliseconds: the size of its error where the host's clock is
   * right. Null where there is nothing to compare with (clockSource arrival or file).
   */
  readonly clockErrorMs: null | number;
  /** When the host took the frame from the decoder. */
  readonly receivedAt: number;
  /** Where the face is. */
  readonly box: Box;
  /** How fit the crop is. */
  readonly quality: CropQuality;
  /** 112×112 pixels as encoding says: 37,632 bytes of RGB8, or a JPEG file. */
  readonly pixels: Buffer;
}

/**
 * Consecutive crops of one face, on their way from ingest to inference. Topic <prefix>crops (short
 * retention), key cameraId/trackId.
 */
export interface FaceCropBatch {
  /** The camera's id in the config; letters, digits, dot, dash, underscore. */
  readonly cameraId: string;
  /**
   * One uninterrupted run of one decoder: the start in Unix milliseconds for live sources, 0, 1, 2 …
   * for files. A new epoch starts new tracks and windows.
   */
  readonly epoch: number;
  /** One face followed through frames; unique within (cameraId, epoch), counted from 1. */
  readonly trackId: number;
  /** Clock of captureTime. */
  readonly clockSource: ClockSource;
  /** Nominal distance between analysed frames in microseconds: the smoother's unit of time. */
  readonly interval: number;
  /** How pixels are stored. */
  readonly encoding: CropEncoding;
  /**
   * Oldest first; may be empty where only an end is told, or, with trackId 0, that the epoch has
   * begun: then every earlier epoch of the camera is over.
   */
  readonly crops: readonly Crop[];
  /** The track is over: no further crop of it follows. */
  readonly ended: boolean;
  /** The track is over because its epoch is; ended is true then, too. */
  readonly epochEnded: boolean;
}

/**
 * empty: no value; unknown_format: neither a single-object nor a Confluent header; unknown_schema:
 * no writer schema to be had; incompatible_schema: the writer's schema cannot be read as this one;
 * corrupt: the bytes do not follow the schema; unknown: newer than the reader's schema.
 */
export type DeadLetterReason =
  | 'empty'
  | 'unknown_format'
  | 'unknown_schema'
  | 'incompatible_schema'
  | 'corrupt'
  | 'unknown';

/**
 * A message that a consumer could not decode, as it was, with why. Topic <prefix>deadletter, key:
 * its own.
 */
export interface DeadLetter {
  /** When the consumer gave up on it. */
  readonly at: number;
  /** Consumer group that could not read it. */
  readonly group: string;
  /** Where it was read. */
  readonly topic: string;
  /** Partition of that topic. */
  readonly partition: number;
  /** Offset in that partition. */
  readonly offset: number;
  /** The message's key; null where it has none. */
  readonly key: null | Buffer;
  /** The message's value, unchanged; null where it has none, more than 900 KiB, or pictures of faces. */
  readonly value: null | Buffer;
  /** Why it could not be decoded. */
  readonly reason: DeadLetterReason;
  /** One sentence for a person. */
  readonly detail: string;
}

/** What each record name stands for. */
export interface Records {
  readonly AuFrame: AuFrame;
  readonly AuActivation: AuActivation;
  readonly CameraStatus: CameraStatus;
  readonly FaceCropBatch: FaceCropBatch;
  readonly DeadLetter: DeadLetter;
}
