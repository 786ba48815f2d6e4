import { restamp } from '../clock.ts';
import type { AuFrame } from '../domain/event.ts';
import { AU_COUNT, AU_NAMES } from '../domain/scores.ts';
import { trackKey } from '../domain/track-key.ts';
import { FaceHistory, NO_SCORE } from './history.ts';
import type { FaceSamples } from './protocol.ts';

const NO_SCORES = new Int16Array(AU_COUNT).fill(NO_SCORE);

/** One face: its newest frame and its scores of the last minutes. */
export class FaceRecord {
  readonly key: string;
  readonly history: FaceHistory;
  newest: AuFrame;

  constructor(first: AuFrame, capacity: number) {
    this.key = trackKey(first);
    this.newest = first;
    this.history = new FaceHistory(AU_COUNT, capacity);
  }

  push(frame: AuFrame): void {
    const raw = Int16Array.from(NO_SCORES);
    const smoothed = Int16Array.from(NO_SCORES);
    let active = 0;
    AU_NAMES.forEach((name, au) => {
      const state = frame.aus[name];
      if (!state) return;
      raw[au] = Math.round(state.raw * 1_000);
      smoothed[au] = Math.round(state.p * 1_000);
      if (state.active) active |= 1 << au;
    });
    this.history.push(restamp(frame.receivedAt) / 1_000, raw, smoothed, active);
    this.newest = frame;
  }

  /** Samples from number `from` on; more than `limit` are thinned evenly, and the newest is always included. */
  samples(from: number, limit: number): FaceSamples {
    const { history, newest } = this;
    const first = Math.max(from, history.oldest);
    const count = history.pushed - first;
    const step = Math.max(1, count / limit);
    const chosen: number[] = [];
    for (let back = 0; back < count; back += step) chosen.push(history.pushed - 1 - Math.floor(back));
    chosen.reverse();
    const vectors = (read: (sample: number, au: number) => number) =>
      chosen.flatMap((sample) => Array.from(NO_SCORES, (_, au) => read(sample, au)));
    const { box, quality } = newest;
    return {
      key: this.key,
      cameraId: newest.cameraId,
      trackId: newest.trackId,
      box: [Math.round(box.x), Math.round(box.y), Math.round(box.w), Math.round(box.h)],
      pose: [Math.round(quality.yaw), Math.round(quality.pitch), Math.round(quality.roll)],
      quality: Math.round(quality.score * 100) / 100,
      unreliable: quality.unreliable,
      warmup: newest.warmup,
      times: chosen.map((sample) => Math.round(history.time(sample))),
      raw: vectors((sample, au) => history.raw(sample, au)),
      smoothed: vectors((sample, au) => history.smoothed(sample, au)),
      active: chosen.map((sample) => history.active(sample)),
    };
  }
}
