import type { CameraState } from '../domain/camera-status.ts';
import type { Unreliable } from '../domain/face.ts';
import type { ClockSource } from '../domain/frame.ts';

/**
 * What the dashboard's server tells the page, as server-sent events. Every message carries the newest state, so that
 * a page that reads slowly misses steps between, never the present. Times are milliseconds on the server's clock.
 */
export interface Hello {
  readonly type: 'hello';
  /** FACS numbers in the order of every vector. */
  readonly actionUnits: readonly number[];
  /** Score from which each AU counts as active, 0…1. */
  readonly thresholds: readonly number[];
  /** Pictures of faces may be asked for. */
  readonly showVideo: boolean;
  /** How far back the server remembers. */
  readonly historySeconds: number;
}

/** Cameras that changed or went, faces that have new samples. */
export interface Update {
  readonly type: 'update';
  readonly now: number;
  readonly cameras: readonly CameraView[];
  /** Ids of cameras that were removed. */
  readonly removed: readonly string[];
  readonly faces: readonly FaceSamples[];
}

export type Message = Hello | Update;

/** Why a camera was not added or removed. */
export interface Refusal {
  readonly error?: string;
  /** By field of the form. */
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
  /** Receive-to-score delay in ms, one value a second, newest last; null where no face was scored. */
  readonly lag: readonly (number | null)[];
  /** States in order: each holds from `from` until the next one's. */
  readonly states: readonly { readonly from: number; readonly state: CameraState }[];
  readonly gaps: readonly { readonly from: number; readonly to: number; readonly cause: string }[];
}

/** New samples of one face, oldest first: columns of equal length, vectors flattened. */
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
  readonly unreliable: Unreliable | null;
  readonly warmup: boolean;
  readonly times: readonly number[];
  /** Thousandths, `times.length` × AUs; −1 where the face was unreliable. */
  readonly raw: readonly number[];
  readonly smoothed: readonly number[];
  /** Bit i: AU i of the vector is active. */
  readonly active: readonly number[];
}
