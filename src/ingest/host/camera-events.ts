import type { CameraStatus } from '../../domain/camera-status.ts';
import type { FrameFaces } from '../../domain/face.ts';

/** What one camera delivers to its host. */
export interface CameraEvents {
  /** Backpressure applies to files only: live sources do not wait for the promise. */
  faces(faces: FrameFaces): void | Promise<void>;
  /** A new epoch began, or the camera's process is gone: every track of `epoch` has ended. */
  epochEnded(cameraId: string, epoch: number): void | Promise<void>;
  /**
   * The camera is paused: every track of `epoch` has ended, and what is not scored yet is to be dropped. Default:
   * `epochEnded`.
   */
  epochDiscarded?(cameraId: string, epoch: number): void | Promise<void>;
  status(status: CameraStatus): void;
  /** The camera is no longer in this process's configuration, after its last status. */
  removed?(cameraId: string): void;
}
