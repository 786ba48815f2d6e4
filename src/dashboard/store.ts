import { monotonicAt } from '../clock.ts';
import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuFrame } from '../domain/event.ts';
import type { FrameFaces } from '../domain/face.ts';
import { trackKey } from '../domain/track-key.ts';
import { CameraRecord } from './camera-record.ts';
import { FaceRecord } from './face-record.ts';
import { UpdateCursor } from './update-cursor.ts';

export const HISTORY_SECONDS = 300;
/** Samples kept per face: the whole history at 30 analysed frames a second. */
const SAMPLES_PER_FACE = HISTORY_SECONDS * 30;
/** Faces kept, including those that have left; beyond this the least recently seen face is evicted. */
const MAX_FACES = 128;

/**
 * Cameras, faces and their last minutes, in bounded memory. It observes the pipeline and never blocks it; each page
 * reads through a cursor of its own.
 */
export class DashboardStore {
  /** Whether the newest crop of each face is kept for the page. */
  readonly showVideo: boolean;
  readonly #cameras = new Map<string, CameraRecord>();
  readonly #faces = new Map<string, FaceRecord>();
  /** The newest crop per face (112×112 RGB), in memory only. */
  readonly #crops = new Map<string, Uint8Array>();
  readonly #stateListeners = new Set<() => void>();

  constructor(options: { readonly showVideo: boolean }) {
    this.showVideo = options.showVideo;
  }

  addFrames(frames: readonly AuFrame[]): void {
    for (const frame of frames) {
      const key = trackKey(frame);
      let face = this.#faces.get(key);
      if (face) this.#faces.delete(key);
      else face = new FaceRecord(frame, SAMPLES_PER_FACE);
      face.push(frame);
      // Maps keep insertion order: the least recently seen face comes first.
      this.#faces.set(key, face);
    }
    const newest = frames.at(-1);
    if (!newest) return;
    this.#cameras.get(newest.cameraId)?.addLag(newest);
    const since = monotonicAt(newest.receivedAt) - HISTORY_SECONDS * 1e3;
    for (const face of this.#faces.values()) {
      if (this.#faces.size <= MAX_FACES && monotonicAt(face.newest.receivedAt) >= since) break;
      this.#faces.delete(face.key);
    }
  }

  updateCamera(status: CameraStatus): void {
    const { cameraId, state, cause } = status;
    if (state !== 'LIVE') this.#deleteCrops(cameraId);
    if (state === 'STOPPED' && cause === 'removed') this.#deleteCamera(cameraId);
    else if (!this.#camera(cameraId).update(status)) return;
    for (const listener of this.#stateListeners) listener();
  }

  /** Calls `listener` at once when a camera's state changes or a camera is removed. Returns the unsubscribe function. */
  onCameraState(listener: () => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** This host's clock was set by `ms`: what is kept keeps its age. */
  clockStepped(ms: number): void {
    for (const { history } of this.#faces.values()) history.shift(ms);
    for (const camera of this.#cameras.values()) camera.shift(ms);
  }

  /** Keeps the newest crops of a live camera if pictures may be shown. */
  addCrops(faces: FrameFaces): void {
    // Crops that arrive after their camera stopped would never be deleted.
    if (!this.showVideo || this.#cameras.get(faces.cameraId)?.state !== 'LIVE') return;
    // When an epoch ends, its tracks are not reported as ended one by one.
    this.#deleteCrops(faces.cameraId, faces.epoch);
    for (const crop of faces.crops) this.#crops.set(trackKey(crop), crop.pixels);
    for (const trackId of faces.endedTracks) this.#crops.delete(trackKey({ ...faces, trackId }));
    for (const key of this.#crops.keys()) {
      if (this.#crops.size <= MAX_FACES) break;
      this.#crops.delete(key);
    }
  }

  /** The newest crop of a face, 112×112 RGB; undefined when the face is not in sight. */
  crop(key: string): Uint8Array | undefined {
    return this.#crops.get(key);
  }

  /** A cursor at the start: its first update holds everything of the cameras that `maySee` allows. */
  openCursor(maySee: (cameraId: string) => boolean = () => true): UpdateCursor {
    return new UpdateCursor(this.#cameras, this.#faces, maySee);
  }

  /** Scores of the camera's last frames may still arrive; the page ignores faces of an unknown camera. */
  #deleteCamera(id: string): void {
    this.#cameras.delete(id);
    for (const [key, { newest }] of this.#faces) if (newest.cameraId === id) this.#faces.delete(key);
  }

  /** Deletes all crops of a camera, or all except those of `keepEpoch`. */
  #deleteCrops(cameraId: string, keepEpoch?: number): void {
    for (const key of this.#crops.keys()) {
      if (!key.startsWith(`${cameraId}/`)) continue;
      if (keepEpoch === undefined || !key.startsWith(`${cameraId}/${keepEpoch}/`)) this.#crops.delete(key);
    }
  }

  #camera(id: string): CameraRecord {
    let camera = this.#cameras.get(id);
    if (!camera) {
      camera = new CameraRecord(HISTORY_SECONDS * 1_000);
      this.#cameras.set(id, camera);
    }
    return camera;
  }
}
