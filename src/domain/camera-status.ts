import type { Micros } from './frame.ts';
import type { Gap } from './gap.ts';

/**
 * CONNECTING: no frame yet. LIVE: frames arrive. STALLED: frames stopped arriving. RECONNECTING: waits for the next
 * attempt, after any failure, a rejected password included. REFUSED: admission control found no capacity for one more
 * camera. PAUSED: not connected until an operator or the camera's schedule (`cause`) resumes it, or while another worker
 * runs it (`superseded`). STOPPED: on purpose, or a
 * file has ended.
 */
export type CameraState =
  | 'CONNECTING'
  | 'LIVE'
  | 'STALLED'
  | 'RECONNECTING'
  | 'REFUSED'
  | 'PAUSED'
  | 'STOPPED';

/** Record of topic `au.cameras` (compacted): the newest record per camera is its current state. */
export interface CameraStatus {
  readonly cameraId: string;
  readonly at: Micros;
  readonly state: CameraState;
  /** When this state began. */
  readonly since: Micros;
  readonly previous: CameraState | null;
  /** Machine-readable cause of the newest transition: an error code or an event name. */
  readonly cause: string;
  /** One sentence for people; credentials are redacted. */
  readonly detail: string;
  readonly epoch: number | null;
  /** The process that runs the camera; null: unknown, or one without Kafka. */
  readonly worker: string | null;
  readonly restarts: number;
  readonly width: number | null;
  readonly height: number | null;
  readonly codec: string | null;
  /** Analysed frames per second over the last report interval. */
  readonly fps: number | null;
  /** Upper limit of analysed frames per second: the config's, or less under load shedding. */
  readonly analysisFps: number | null;
  /** Milliseconds from the decoder's output of the newest frame until its faces reached the host process. */
  readonly lagMs: number | null;
  /** Camera clock minus host clock, network delay included; null: unknown. */
  readonly clockErrorMs: number | null;
  /**
   * Drift of the clock behind `captureTime` (arrival: the clock that paces the camera's stream) against the host clock,
   * in parts per million, positive if it runs faster; null until an epoch has lasted long enough to measure it.
   */
  readonly driftPpm: number | null;
  /**
   * Frames dropped before analysis since the epoch began, by cause; `analysis_fps`: decimated as configured; `masked`:
   * faces found in a mask; `paused`: crops and frames that a pause left unscored.
   */
  readonly drops: Readonly<Record<string, number>>;
  readonly gap: Gap | null;
}
