import type { CameraState } from '../domain/camera-status.ts';
import type { UnreliableReason } from '../domain/face.ts';
import type { ClockSource } from '../domain/frame.ts';
import type { Role } from './access/person.ts';

/**
 * Messages of the dashboard's server to the page, as server-sent events. Every message carries the newest state: a slow
 * page misses intermediate states, never the current one. Times are milliseconds on the server's clock.
 */
export interface Hello {
  readonly type: 'hello';
  readonly now: number;
  /** FACS numbers; every score vector has this order. */
  readonly actionUnits: readonly number[];
  /** Score from which each AU counts as active, 0…1. */
  readonly thresholds: readonly number[];
  /** Whether the page may request crops of faces. */
  readonly showVideo: boolean;
  /** Length of the server's history. */
  readonly historySeconds: number;
  /** Who is signed in. */
  readonly person: { readonly name: string; readonly role: Role; readonly canSignOut: boolean };
}

/** An update is sent at least this often, with nothing in it if nothing changed: without one the page is not live. */
export const HEARTBEAT_MS = 1_000;

/** Cameras that changed or were removed, and faces with new samples. */
export interface Update {
  readonly type: 'update';
  readonly now: number;
  readonly cameras: readonly CameraView[];
  /** Ids of cameras that were removed. */
  readonly removed: readonly string[];
  readonly faces: readonly FaceSamples[];
}

export type Message = Hello | Update;

/** Reply to a rejected request to add or remove a camera. */
export interface CameraRequestError {
  readonly error?: string;
  /** Message by form field. */
  readonly fields?: Readonly<Record<string, string>>;
}

export interface CameraView {
  readonly id: string;
  readonly state: CameraState;
  readonly cause: string;
  readonly detail: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly codec: string | null;
  readonly fps: number | null;
  readonly restarts: number;
  /** Frames, crops and events lost, by cause. */
  readonly drops: Readonly<Record<string, number>>;
  readonly clockSource: ClockSource | null;
  /** Delay from receive to inference, ms, one value per second, newest last; null for seconds without a scored face. */
  readonly lag: readonly (number | null)[];
  /** States in order; each lasts until the `from` of the next. */
  readonly states: readonly { readonly from: number; readonly state: CameraState }[];
  readonly gaps: readonly { readonly from: number; readonly to: number; readonly cause: string }[];
}

/** New samples of one face, oldest first, as columns; score vectors are flattened. */
export interface FaceSamples {
  /** `cameraId/epoch/trackId`. */
  readonly key: string;
  readonly cameraId: string;
  readonly trackId: number;
  /** x, y, width, height in source pixels, of the newest sample. */
  readonly box: readonly [number, number, number, number];
  /** Yaw, pitch, roll in degrees, of the newest sample. */
  readonly pose: readonly [number, number, number];
  readonly quality: number;
  readonly unreliable: UnreliableReason | null;
  readonly warmup: boolean;
  readonly times: readonly number[];
  /** `times.length` × AUs scores in thousandths; −1 if the face was unreliable. */
  readonly raw: readonly number[];
  readonly smoothed: readonly number[];
  /** One bit mask per sample: bit i is set if AU i of the vector is active. */
  readonly active: readonly number[];
}
