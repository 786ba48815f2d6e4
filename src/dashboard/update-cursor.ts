import { wallMs } from '../clock.ts';
import type { CameraRecord } from './camera-record.ts';
import type { FaceRecord } from './face-record.ts';
import type { Update } from './protocol.ts';

/** Samples in one message, shared by all its faces: in a page's first message, and in every later one. */
const FIRST_MESSAGE_SAMPLES = 15_000;
const MESSAGE_SAMPLES = 4_000;

/**
 * One page's position in the store: version numbers, no data. A page that does not read costs nothing and gets the
 * newest state, thinned, when it reads again.
 */
export class UpdateCursor {
  readonly #cameras: ReadonlyMap<string, CameraRecord>;
  readonly #faces: ReadonlyMap<string, FaceRecord>;
  readonly #cameraVersions = new Map<string, number>();
  readonly #samplesSent = new Map<string, number>();
  readonly #maySee: (cameraId: string) => boolean;
  #first = true;

  /** `maySee`: whether the page's person may see a camera. Nothing of any other is sent. */
  constructor(
    cameras: ReadonlyMap<string, CameraRecord>,
    faces: ReadonlyMap<string, FaceRecord>,
    maySee: (cameraId: string) => boolean,
  ) {
    this.#cameras = cameras;
    this.#faces = faces;
    this.#maySee = maySee;
  }

  /** Everything that changed since the last call; null when nothing changed. */
  next(): Update | null {
    const cameras = [...this.#cameras].flatMap(([id, camera]) => {
      if (!this.#maySee(id) || this.#cameraVersions.get(id) === camera.version) return [];
      this.#cameraVersions.set(id, camera.version);
      return camera.view() ?? [];
    });
    const removed = [...this.#cameraVersions.keys()].filter((id) => !this.#cameras.has(id));
    for (const id of removed) this.#cameraVersions.delete(id);
    const changed = [...this.#faces.values()].filter(
      ({ key, newest, history }) =>
        this.#maySee(newest.cameraId) && this.#samplesSent.get(key) !== history.pushed,
    );
    const budget = this.#first ? FIRST_MESSAGE_SAMPLES : MESSAGE_SAMPLES;
    const limit = Math.max(1, Math.floor(budget / changed.length));
    const faces = changed.map((face) => {
      const samples = face.samples(this.#samplesSent.get(face.key) ?? 0, limit);
      this.#samplesSent.set(face.key, face.history.pushed);
      return samples;
    });
    for (const key of this.#samplesSent.keys()) if (!this.#faces.has(key)) this.#samplesSent.delete(key);
    this.#first = false;
    if (cameras.length === 0 && removed.length === 0 && faces.length === 0) return null;
    return { type: 'update', now: wallMs(), cameras, removed, faces };
  }
}
