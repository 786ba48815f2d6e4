import { createHistogram } from 'node:perf_hooks';
import { type CameraStatus, losses } from '../domain/camera-status.ts';
import type { AuFrame } from '../domain/event.ts';
import type { FrameFaces } from '../domain/face.ts';
import { latency } from '../domain/latency.ts';

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
  /** From capture to the broker's acknowledgement; null before the first one. */
  readonly lagMs: { readonly p50: number | null; readonly p99: number | null };
}

/** The summary as text for a person. */
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

/** Counts frames, faces, events and drops of a run, in bounded memory. */
export class RunStatistics {
  readonly #lag = createHistogram();
  /** By camera: the tracks of its newest epoch that have not ended. */
  readonly #activeTracks = new Map<string, { epoch: number; tracks: Set<number> }>();
  /** By camera: its own drops in its newest epoch and in all earlier ones. */
  readonly #cameraDrops = new Map<string, { epoch: number; current: number; earlier: number }>();
  /** By camera and cause: drops in the stages after the camera. */
  readonly #downstreamDrops = new Map<string, Record<string, number>>();
  #framesIn = 0;
  #faces = 0;
  #events = 0;

  frame(frame: FrameFaces): void {
    this.#framesIn += 1;
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
    drops[cause] = (drops[cause] ?? 0) + count;
    this.#downstreamDrops.set(cameraId, drops);
  }

  /** Counts the camera's own drops. Returns the status with the drops of the later stages added. */
  status(status: CameraStatus): CameraStatus {
    if (status.epoch !== null) {
      const known = this.#cameraDrops.get(status.cameraId);
      const earlier = !known
        ? 0
        : known.epoch === status.epoch
          ? known.earlier
          : known.earlier + known.current;
      this.#cameraDrops.set(status.cameraId, {
        epoch: status.epoch,
        current: sumLosses(status.drops),
        earlier,
      });
    }
    return { ...status, drops: { ...status.drops, ...this.#downstreamDrops.get(status.cameraId) } };
  }

  summary(): Summary {
    const lagMs = (percentile: number) =>
      this.#lag.count === 0 ? null : Math.round(this.#lag.percentile(percentile) / 100) / 10;
    return {
      framesIn: this.#framesIn,
      faces: this.#faces,
      events: this.#events,
      dropped: this.#totalDrops(),
      lagMs: { p50: lagMs(50), p99: lagMs(99) },
    };
  }

  #totalDrops(): number {
    let total = 0;
    for (const { current, earlier } of this.#cameraDrops.values()) total += current + earlier;
    for (const drops of this.#downstreamDrops.values()) total += sumLosses(drops);
    return total;
  }
}

function sumLosses(drops: Readonly<Record<string, number>>): number {
  return losses(drops).reduce((total, [, count]) => total + count, 0);
}
