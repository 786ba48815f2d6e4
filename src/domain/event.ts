import type { Box, CropQuality } from './face.ts';
import type { ClockSource, FrameStamp, Micros } from './frame.ts';
import type { AuName } from './scores.ts';

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
