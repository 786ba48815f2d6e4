import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuFrame } from '../domain/event.ts';
import type { FrameFaces } from '../domain/face.ts';
import { trackKey } from '../domain/track-key.ts';
import { CameraRecord } from './camera-record.ts';
import { FaceRecord } from './face-record.ts';
import type { Update } from './protocol.ts';

export const HISTORY_SECONDS = 300;
/** Samples kept of one face: the history at 30 analysed frames a second. */
const SAMPLES = HISTORY_SECONDS * 30;
/** Faces kept, those that have left included; beyond them the one unseen longest goes. */
const MAX_FACES = 128;
/** Samples in one message: all faces of a page that has just come share these, and so does one that fell behind. */
const FIRST_MESSAGE_SAMPLES = 15_000;
const MESSAGE_SAMPLES = 4_000;

/**
 * What the dashboard knows: cameras, faces and their last minutes, in bounded memory. Looks on at the pipeline and
 * never holds it up.
 */
export class DashboardHub {
  /** The newest crop of each face is kept, so that the page can show it. */
  readonly showVideo: boolean;
  readonly #cameras = new Map<string, CameraRecord>();
  readonly #faces = new Map<string, FaceRecord>();
  /** RGB of the newest crop per face; never leaves memory. */
  readonly #crops = new Map<string, Uint8Array>();
  readonly #impatient = new Set<() => void>();

  constructor(options: { readonly showVideo: boolean }) {
    this.showVideo = options.showVideo;
  }

  frames(frames: readonly AuFrame[]): void {
    for (const frame of frames) {
      const key = trackKey(frame);
      let face = this.#faces.get(key);
      if (face) this.#faces.delete(key);
      else face = new FaceRecord(frame, SAMPLES);
      face.push(frame);
      // Maps keep insertion order: the face unseen longest stands first.
      this.#faces.set(key, face);
    }
    const newest = frames.at(-1);
    if (!newest) return;
    this.#cameras.get(newest.cameraId)?.scored(newest);
    const since = newest.receivedAt - HISTORY_SECONDS * 1e6;
    for (const face of this.#faces.values()) {
      if (this.#faces.size <= MAX_FACES && face.newest.receivedAt >= since) break;
      this.#faces.delete(face.key);
    }
  }

  status(status: CameraStatus): void {
    const { cameraId, state, cause } = status;
    if (state !== 'LIVE') this.#forgetPictures(cameraId);
    if (state === 'STOPPED' && cause === 'removed') this.#forget(cameraId);
    else if (!this.#camera(cameraId).status(status)) return;
    for (const tell of this.#impatient) tell();
  }

  /** `tell` runs whenever a camera's state has changed or a camera was removed, which cannot wait; gives back what ends that. */
  onState(tell: () => void): () => void {
    this.#impatient.add(tell);
    return () => this.#impatient.delete(tell);
  }

  /** Newest crops of a camera that is live, where pictures may be shown. */
  pictures(faces: FrameFaces): void {
    // Those of a camera that has stopped meanwhile would stay.
    if (!this.showVideo || this.#cameras.get(faces.cameraId)?.state !== 'LIVE') return;
    // Tracks of an epoch that is over do not end one by one.
    this.#forgetPictures(faces.cameraId, faces.epoch);
    for (const crop of faces.crops) this.#crops.set(trackKey(crop), crop.pixels);
    for (const trackId of faces.endedTracks) this.#crops.delete(trackKey({ ...faces, trackId }));
    for (const key of this.#crops.keys()) {
      if (this.#crops.size <= MAX_FACES) break;
      this.#crops.delete(key);
    }
  }

  /** 112×112 RGB of a face that is in sight; undefined otherwise. */
  picture(key: string): Uint8Array | undefined {
    return this.#crops.get(key);
  }

  /** A reader that has seen nothing yet. */
  reader(): HubReader {
    return new HubReader(this.#cameras, this.#faces);
  }

  /** Scores of its last frames may still come: they are of no camera, and shown nowhere. */
  #forget(id: string): void {
    this.#cameras.delete(id);
    for (const [key, { newest }] of this.#faces) if (newest.cameraId === id) this.#faces.delete(key);
  }

  /** All of a camera's, or all but those of one epoch. */
  #forgetPictures(cameraId: string, but?: number): void {
    for (const key of this.#crops.keys()) {
      if (!key.startsWith(`${cameraId}/`)) continue;
      if (but === undefined || !key.startsWith(`${cameraId}/${but}/`)) this.#crops.delete(key);
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

/**
 * One page's place in what the hub knows. It holds cursors, never data: a page that does not read costs nothing, and
 * gets the newest state, thinned, when it reads again.
 */
export class HubReader {
  readonly #cameras: ReadonlyMap<string, CameraRecord>;
  readonly #faces: ReadonlyMap<string, FaceRecord>;
  readonly #seenCameras = new Map<string, number>();
  readonly #seenFaces = new Map<string, number>();
  #first = true;

  constructor(cameras: ReadonlyMap<string, CameraRecord>, faces: ReadonlyMap<string, FaceRecord>) {
    this.#cameras = cameras;
    this.#faces = faces;
  }

  /** What changed since the last call; null when nothing did. */
  next(): Update | null {
    const cameras = [...this.#cameras].flatMap(([id, camera]) => {
      if (this.#seenCameras.get(id) === camera.version) return [];
      this.#seenCameras.set(id, camera.version);
      return camera.view() ?? [];
    });
    const removed = [...this.#seenCameras.keys()].filter((id) => !this.#cameras.has(id));
    for (const id of removed) this.#seenCameras.delete(id);
    const changed = [...this.#faces.values()].filter(
      ({ key, history }) => this.#seenFaces.get(key) !== history.pushed,
    );
    const budget = this.#first ? FIRST_MESSAGE_SAMPLES : MESSAGE_SAMPLES;
    const limit = Math.max(1, Math.floor(budget / changed.length));
    const faces = changed.map((face) => {
      const samples = face.samples(this.#seenFaces.get(face.key) ?? 0, limit);
      this.#seenFaces.set(face.key, face.history.pushed);
      return samples;
    });
    for (const key of this.#seenFaces.keys()) if (!this.#faces.has(key)) this.#seenFaces.delete(key);
    this.#first = false;
    if (cameras.length === 0 && removed.length === 0 && faces.length === 0) return null;
    return { type: 'update', now: Date.now(), cameras, removed, faces };
  }
}
