import { createHistogram } from 'node:perf_hooks';
import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuFrame } from '../domain/event.ts';
import type { FrameFaces } from '../domain/face.ts';
import { latency } from '../domain/latency.ts';
import { losses } from '../domain/loss-cause.ts';
import { NewLosses } from '../domain/new-losses.ts';
import type { Undelivered } from './undelivered.ts';

/** Totals of a run, printed when it ends. */
export interface Summary {
  /** Analysed frames that reached the host process. */
  readonly framesIn: number;
  /** Face tracks seen. */
  readonly faces: number;
  /** AuFrames handed to the publisher. */
  readonly events: number;
  /** Frames, crops and events lost, summed over all causes. */
  readonly dropped: number;
  /** The same by cause. */
  readonly drops: Readonly<Record<string, number>>;
  /** The part of `drops` that is from files, which are read in full. */
  readonly fileDrops: Readonly<Record<string, number>>;
  /** Topics with events that were not delivered when the run ended. */
  readonly undelivered: readonly Undelivered[];
  /** Ids of cameras whose file was not read to its end. */
  readonly unreadFiles: readonly string[];
  /** From capture to the broker's acknowledgement; null before the first one. */
  readonly lagMs: { readonly p50: number | null; readonly p99: number | null };
}

/** Counts frames, faces, events and drops of a run, in bounded memory. */
export class RunStatistics {
  readonly #lag = createHistogram();
  /** By camera: the tracks of its newest epoch that have not ended. */
  readonly #activeTracks = new Map<string, { epoch: number; tracks: Set<number> }>();
  readonly #newLosses = new NewLosses();
  /** By cause: losses of all cameras and stages. */
  readonly #drops: Record<string, number> = {};
  /** The part of them that is from files. */
  readonly #fileDrops: Record<string, number> = {};
  readonly #files = new Set<string>();
  /** By camera and cause: drops in the stages after the camera. */
  readonly #downstreamDrops = new Map<string, Record<string, number>>();
  #framesIn = 0;
  #faces = 0;
  #events = 0;

  frame(frame: FrameFaces): void {
    this.#framesIn += 1;
    if (frame.clockSource === 'file') this.#files.add(frame.cameraId);
    let active = this.#activeTracks.get(frame.cameraId);
    if (active?.epoch !== frame.epoch) {
      active = { epoch: frame.epoch, tracks: new Set() };
      this.#activeTracks.set(frame.cameraId, active);
    }
    for (const { trackId } of frame.crops) {
      if (!active.tracks.has(trackId)) this.#faces += 1;
      active.tracks.add(trackId);
    }
    for (const trackId of frame.endedTracks) active.tracks.delete(trackId);
  }

  events(count: number): void {
    this.#events += count;
  }

  /** Records the lag until the acknowledgement: since capture, or since decoding for files. */
  acknowledged(frame: Pick<AuFrame, 'captureTime' | 'receivedAt' | 'clockSource'>): void {
    this.#lag.record(Math.max(1, Math.round(latency(frame))));
  }

  /** Counts drops of a stage after the camera, such as crops under inference overload or events past the spool's size. */
  dropped(cameraId: string, count: number, cause: string): void {
    const drops = this.#downstreamDrops.get(cameraId) ?? {};
    add(drops, cause, count);
    this.#downstreamDrops.set(cameraId, drops);
    for (const [lossCause, lost] of losses({ [cause]: count })) this.#count(cameraId, lossCause, lost);
  }

  /** Counts the camera's own drops. Returns the status with the drops of the later stages added. */
  status(status: CameraStatus): CameraStatus {
    for (const [cause, count] of this.#newLosses.of(status)) this.#count(status.cameraId, cause, count);
    const drops = { ...status.drops };
    for (const [cause, count] of Object.entries(this.#downstreamDrops.get(status.cameraId) ?? {}))
      add(drops, cause, count);
    return { ...status, drops };
  }

  /** `undelivered`, `unreadFiles`: what the process found when it ended. */
  summary(end: Pick<Summary, 'undelivered' | 'unreadFiles'>): Summary {
    const lagMs = (percentile: number) =>
      this.#lag.count === 0 ? null : Math.round(this.#lag.percentile(percentile) / 100) / 10;
    return {
      framesIn: this.#framesIn,
      faces: this.#faces,
      events: this.#events,
      dropped: Object.values(this.#drops).reduce((sum, count) => sum + count, 0),
      drops: { ...this.#drops },
      fileDrops: { ...this.#fileDrops },
      ...end,
      lagMs: { p50: lagMs(50), p99: lagMs(99) },
    };
  }

  #count(cameraId: string, cause: string, count: number): void {
    add(this.#drops, cause, count);
    if (this.#files.has(cameraId)) add(this.#fileDrops, cause, count);
  }
}

function add(drops: Record<string, number>, cause: string, count: number): void {
  drops[cause] = (drops[cause] ?? 0) + count;
}
