import { FaceHistory } from '../history.ts';
import type { FaceSamples } from '../protocol.ts';

/** A face without samples for this long has left. */
const LEFT_AFTER_MS = 2_500;
/** Faces kept, and samples kept for each second of a face's history: as on the server. */
const MAX_FACES = 128;
const SAMPLES_PER_SECOND = 30;
/** Samples of one burst (a hop) span less than this. */
const MAX_BURST_MS = 2_000;

/** One face: its newest samples as received, and its history. */
export interface Face {
  newest: FaceSamples;
  readonly history: FaceHistory;
}

/** All faces of the last minutes, in bounded memory. */
export class FaceStore {
  readonly #faces = new Map<string, Face>();
  readonly #auCount: number;
  readonly #historyMs: number;

  constructor(auCount: number, historySeconds: number) {
    this.#auCount = auCount;
    this.#historyMs = historySeconds * 1_000;
  }

  /** Adds samples. Returns the age that the face's newest sample had reached before they arrived, ms. */
  push(samples: FaceSamples, now: number): number {
    let face = this.#faces.get(samples.key);
    if (face) this.#faces.delete(samples.key);
    else
      face = {
        newest: samples,
        history: new FaceHistory(this.#auCount, (this.#historyMs / 1_000) * SAMPLES_PER_SECOND),
      };
    this.#faces.set(samples.key, face);
    const { history } = face;
    const previous = history.pushed > 0 ? history.time(history.pushed - 1) : Number.NEGATIVE_INFINITY;
    const n = this.#auCount;
    samples.times.forEach((time, i) => {
      history.push(
        time,
        samples.raw.slice(i * n, (i + 1) * n),
        samples.smoothed.slice(i * n, (i + 1) * n),
        samples.active[i]!,
      );
    });
    face.newest = samples;
    const newest = history.time(history.pushed - 1);
    for (const [key, { history: old }] of this.#faces) {
      if (this.#faces.size <= MAX_FACES && old.time(old.pushed - 1) > now - this.#historyMs) break;
      this.#faces.delete(key);
    }
    // A face that returns after a pause was away, not late.
    return now - (newest - previous < MAX_BURST_MS ? previous : newest);
  }

  all(): Iterable<Face> {
    return this.#faces.values();
  }

  /** Faces of a camera in sight at `shown`, ordered by track id. */
  inSight(cameraId: string, shown: number): Face[] {
    return [...this.#faces.values()]
      .filter(({ newest, history }) => {
        if (newest.cameraId !== cameraId) return false;
        const last = history.time(history.pushed - 1);
        return last > shown - LEFT_AFTER_MS && history.time(history.oldest) <= shown;
      })
      .sort((a, b) => a.newest.trackId - b.newest.trackId);
  }
}
