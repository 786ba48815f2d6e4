import type { Micros } from './frame.ts';
import type { Gap } from './gap.ts';

/**
 * CONNECTING: no frame yet. LIVE: frames arrive. STALLED: frames ceased. RECONNECTING: the next try is due, whatever
 * the cause, a rejected password included. REFUSED: this machine has no room for one more camera. STOPPED: on purpose,
 * or a file is over.
 */
export type CameraState = 'CONNECTING' | 'LIVE' | 'STALLED' | 'RECONNECTING' | 'REFUSED' | 'STOPPED';

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
