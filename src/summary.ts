import { createHistogram } from 'node:perf_hooks';
import type { AuFrame, CameraStatus, FrameFaces, Micros } from './domain.ts';

/** What `austream run` says last. */
export interface Summary {
  /** Analysed frames that reached the host process. */
  readonly framesIn: number;
  /** Face tracks seen. */
  readonly faces: number;
  /** AuFrames handed to the publisher. */
  readonly events: number;
  /** Frames, crops and events lost, all causes together. */
  readonly dropped: number;
  /** From capture to the broker's acknowledgement; null before the first one. */
  readonly lagMs: { readonly p50: number | null; readonly p99: number | null };
}

/** Counts what a run did. Bounded memory, however long the run. */
export class RunCounter {
  readonly #lag = createHistogram();
  /** Tracks not yet ended, of each camera's newest epoch. */
  readonly #live = new Map<string, { epoch: number; tracks: Set<number> }>();
  readonly #drops = new Map<string, number>();
  #framesIn = 0;
  #faces = 0;
  #events = 0;

  frame(frame: FrameFaces): void {
    this.#framesIn += 1;
    let live = this.#live.get(frame.cameraId);
    if (live?.epoch !== frame.epoch) {
      live = { epoch: frame.epoch, tracks: new Set() };
      this.#live.set(frame.cameraId, live);
    }
    for (const { trackId } of frame.crops) {
      if (!live.tracks.has(trackId)) this.#faces += 1;
      live.tracks.add(trackId);
    }
    for (const trackId of frame.endedTracks) live.tracks.delete(trackId);
  }

  events(count: number): void {
    this.#events += count;
  }

  acknowledged(frame: AuFrame, at: Micros): void {
    const since = frame.clockSource === 'file' ? frame.receivedAt : frame.captureTime;
    this.#lag.record(Math.max(1, at - since));
  }

  status(status: CameraStatus): void {
    const dropped = Object.values(status.drops).reduce((sum, count) => sum + count, 0);
    if (status.epoch !== null) this.#drops.set(`${status.cameraId}/${status.epoch}`, dropped);
  }

  /** `dropped` adds what stages after the cameras have dropped. */
  summary(dropped = 0): Summary {
    const quantile = (percent: number) =>
      this.#lag.count === 0 ? null : Math.round(this.#lag.percentile(percent) / 100) / 10;
    return {
      framesIn: this.#framesIn,
      faces: this.#faces,
      events: this.#events,
      dropped: [...this.#drops.values()].reduce((sum, count) => sum + count, dropped),
      lagMs: { p50: quantile(50), p99: quantile(99) },
    };
  }
}
