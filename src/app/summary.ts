import { createHistogram } from 'node:perf_hooks';
import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuFrame } from '../domain/event.ts';
import type { FrameFaces } from '../domain/face.ts';
import type { Micros } from '../domain/frame.ts';

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

/** For a person. */
export function summaryText({ framesIn, faces, events, dropped, lagMs }: Summary): string {
  const lag = (ms: number | null) => (ms === null ? '–' : `${Math.round(ms)} ms`);
  return [
    `frames in  ${framesIn}`,
    `faces      ${faces}`,
    `events out ${events}`,
    `dropped    ${dropped}`,
    `lag        p50 ${lag(lagMs.p50)}, p99 ${lag(lagMs.p99)} from capture to the broker's acknowledgement`,
    '',
  ].join('\n');
}

/** Counts what a run did. Bounded memory, however long the run. */
export class RunCounter {
  readonly #lag = createHistogram();
  /** Tracks not yet ended, of each camera's newest epoch. */
  readonly #live = new Map<string, { epoch: number; tracks: Set<number> }>();
  /** As each camera itself counts: of its newest epoch, and of those before. */
  readonly #drops = new Map<string, { epoch: number; now: number; before: number }>();
  /** Of each camera, by cause, in the stages after it. */
  readonly #later = new Map<string, Record<string, number>>();
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

  acknowledged(frame: Pick<AuFrame, 'captureTime' | 'receivedAt' | 'clockSource'>, at: Micros): void {
    const since = frame.clockSource === 'file' ? frame.receivedAt : frame.captureTime;
    this.#lag.record(Math.max(1, at - since));
  }

  /** What a stage after the camera has lost: crops that the model had no time for, events past the spool's bound. */
  dropped(cameraId: string, count: number, cause: string): void {
    const later = this.#later.get(cameraId) ?? {};
    later[cause] = (later[cause] ?? 0) + count;
    this.#later.set(cameraId, later);
  }

  /** Counts a camera's own drops; gives the status back with those of the later stages added. */
  status(status: CameraStatus): CameraStatus {
    if (status.epoch !== null) {
      const known = this.#drops.get(status.cameraId);
      const before = !known ? 0 : known.epoch === status.epoch ? known.before : known.before + known.now;
      this.#drops.set(status.cameraId, { epoch: status.epoch, now: lost(status.drops), before });
    }
    return { ...status, drops: { ...status.drops, ...this.#later.get(status.cameraId) } };
  }

  summary(): Summary {
    const quantile = (percent: number) =>
      this.#lag.count === 0 ? null : Math.round(this.#lag.percentile(percent) / 100) / 10;
    return {
      framesIn: this.#framesIn,
      faces: this.#faces,
      events: this.#events,
      dropped: this.#dropped(),
      lagMs: { p50: quantile(50), p99: quantile(99) },
    };
  }

  #dropped(): number {
    let total = 0;
    for (const { now, before } of this.#drops.values()) total += now + before;
    for (const causes of this.#later.values()) total += sum(causes);
    return total;
  }
}

/** Frames that the config thins out are no loss. */
function lost({ analysis_fps: _, ...drops }: Readonly<Record<string, number>>): number {
  return sum(drops);
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
