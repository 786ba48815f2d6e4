import type { Box, CropQuality } from './face.ts';
import type { ClockSource, FrameStamp, Micros } from './frame.ts';
import type { AuName } from './scores.ts';

/** Identifies the weights behind a score. */
export interface ModelStamp {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** False: random weights, whose scores are meaningless. */
  readonly trained: boolean;
}

export interface AuState {
  /** The ensemble's sigmoid score of this frame, 0…1. */
  readonly raw: number;
  /** The smoothed score, 0…1. */
  readonly p: number;
  /** `p` ≥ the AU's threshold. */
  readonly active: boolean;
  /** How reliable the AU's score is in the model's evaluation: 0 chance … 1 perfect; null: unknown. */
  readonly reliability: number | null;
}

/** One face in one frame: record of topic `au.frames`. */
export interface AuFrame extends FrameStamp {
  /** `cameraId/epoch/trackId/frame`: deterministic, so that a consumer can drop a redelivery. */
  readonly eventId: string;
  readonly trackId: number;
  readonly inferredAt: Micros;
  readonly box: Box;
  readonly quality: CropQuality;
  /** Ids of the camera's zones in which the centre of the face lies, in the order of the config. */
  readonly zones: readonly string[];
  readonly warmup: boolean;
  readonly model: ModelStamp;
  /** Null if the face is unreliable. */
  readonly aus: Readonly<Record<AuName, AuState | null>>;
}

export type ActivationPhase = 'ONSET' | 'OFFSET';

/** Why an activation ended. The Avro enum also has `stopped`, which is reserved and never produced. */
export type ActivationEnd = 'below_threshold' | 'track_ended' | 'gap' | 'unreliable' | 'epoch_ended';

/**
 * One AU of one face from onset to offset: record of topic `au.activations`. The ONSET record is emitted once the AU
 * has been active for the minimum duration; the OFFSET record with the same `activationId` completes it.
 */
export interface AuActivation {
  /** `activationId/phase`: deterministic, so that a consumer can drop a redelivery. */
  readonly eventId: string;
  /** `cameraId/epoch/trackId/au/onsetFrame`. */
  readonly activationId: string;
  readonly phase: ActivationPhase;
  readonly cameraId: string;
  readonly epoch: number;
  readonly trackId: number;
  readonly au: AuName;
  /** Zones of the face in the onset frame. */
  readonly zones: readonly string[];
  readonly clockSource: ClockSource;
  /** Capture time of the first frame at or above the threshold. */
  readonly onset: Micros;
  /** Capture time of `peak`. */
  readonly apex: Micros;
  /** Highest smoothed score so far. */
  readonly peak: number;
  /** Mean smoothed score since the onset. */
  readonly mean: number;
  /** Frames since the onset. */
  readonly frames: number;
  /** Capture time; null in an ONSET record. */
  readonly offset: Micros | null;
  /** From onset to offset, or to the newest frame. */
  readonly duration: Micros;
  /** Null in an ONSET record. */
  readonly end: ActivationEnd | null;
  readonly reliability: number | null;
  readonly inferredAt: Micros;
  readonly model: ModelStamp;
}

/** What identifies an AuFrame, and its times: the first fields of its record. */
export type FrameHead = Pick<
  AuFrame,
  | 'eventId'
  | 'cameraId'
  | 'epoch'
  | 'trackId'
  | 'frame'
  | 'captureTime'
  | 'clockSource'
  | 'clockErrorMs'
  | 'receivedAt'
>;
