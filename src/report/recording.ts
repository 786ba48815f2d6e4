import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuFrame } from '../domain/event.ts';
import { type Gap, gapThreshold } from '../domain/gap.ts';
import { AU_COUNT, AU_NAMES, type AuName } from '../domain/scores.ts';
import { trackKey } from '../domain/track-key.ts';
import { Column } from './column.ts';

/** No stream is so fast that less is a hole. */
const HOLE_SECONDS = 1;

/** A frame as it comes from a file or a topic; what a report does not need may be missing. */
export type RecordedFrame = Pick<
  AuFrame,
  'cameraId' | 'epoch' | 'trackId' | 'frame' | 'captureTime' | 'warmup'
> & {
  readonly clockSource: string;
  readonly quality: { readonly score: number; readonly unreliable: string | null };
  readonly model: Pick<AuFrame['model'], 'name' | 'version' | 'trained'>;
  readonly aus: Readonly<
    Record<
      AuName,
      {
        readonly raw: number;
        readonly p: number;
        readonly active: boolean;
        readonly reliability?: number | null;
      } | null
    >
  >;
};
export type RecordedStatus = Pick<CameraStatus, 'cameraId' | 'at' | 'gap'>;

/** One face from its first frame to its last. All columns have the same length. */
export class RecordedTrack {
  readonly cameraId: string;
  readonly epoch: number;
  readonly trackId: number;
  readonly clockSource: string;
  readonly model: RecordedFrame['model'];
  /** Seconds: Unix time, or media time where the clock is a file's. */
  readonly time = new Column(Float64Array);
  readonly frame = new Column(Float64Array);
  readonly quality = new Column();
  /** Per AU; NaN where the face was unreliable. */
  readonly raw = AU_NAMES.map(() => new Column());
  readonly smoothed = AU_NAMES.map(() => new Column());
  /** Per frame a bit per AU. */
  readonly active = new Column();
  readonly reliability: (number | null)[] = Array(AU_COUNT).fill(null);
  readonly unreliable: Record<string, number> = {};
  warmup = 0;
  #hole: number | null = null;

  constructor(first: RecordedFrame) {
    this.cameraId = first.cameraId;
    this.epoch = first.epoch;
    this.trackId = first.trackId;
    this.clockSource = first.clockSource;
    this.model = first.model;
  }

  get frames(): number {
    return this.time.length;
  }

  get seconds(): number {
    return this.time.at(this.frames - 1) - this.time.at(0);
  }

  get scored(): number {
    return this.frames - Object.values(this.unreliable).reduce((sum, count) => sum + count, 0);
  }

  /**
   * Longer than so many seconds without a frame is a hole; longer without a scored one ends an activation. The topic
   * does not tell how far apart a stream's frames are meant to be: half of them are no further.
   */
  get holeSeconds(): number {
    if (this.#hole === null) {
      const distances = Float64Array.from({ length: Math.max(0, this.frames - 1) }, (_, index) => {
        return this.time.at(index + 1) - this.time.at(index);
      }).sort();
      this.#hole = gapThreshold(HOLE_SECONDS, 1e6 * (distances[(distances.length - 1) >> 1] ?? 0)) / 1e6;
    }
    return this.#hole;
  }

  push(frame: RecordedFrame): void {
    this.#hole = null;
    this.time.push(frame.captureTime / 1e6);
    this.frame.push(frame.frame);
    this.quality.push(frame.quality.score);
    if (frame.warmup) this.warmup += 1;
    const { unreliable } = frame.quality;
    if (unreliable) this.unreliable[unreliable] = (this.unreliable[unreliable] ?? 0) + 1;
    let active = 0;
    AU_NAMES.forEach((name, au) => {
      const state = frame.aus[name] ?? null;
      this.raw[au]!.push(state?.raw ?? Number.NaN);
      this.smoothed[au]!.push(state?.p ?? Number.NaN);
      if (state?.active) active |= 1 << au;
      if (state?.reliability != null) this.reliability[au] = state.reliability;
    });
    this.active.push(active);
  }
}

/** Which of a source's events a report is about. */
export interface Selection {
  readonly camera?: string | undefined;
  readonly track?: number | undefined;
}

/** Everything that a report is made of. Events may repeat (delivery is at least once) and may be interleaved. */
export class Recording {
  readonly tracks = new Map<string, RecordedTrack>();
  readonly gaps: (Gap & { readonly cameraId: string })[] = [];
  readonly #selection: Selection;

  constructor(selection: Selection = {}) {
    this.#selection = selection;
  }

  get cameras(): string[] {
    return [...new Set([...this.tracks.values()].map(({ cameraId }) => cameraId))].sort();
  }

  frame(frame: RecordedFrame): void {
    const { camera, track: wanted } = this.#selection;
    if (camera !== undefined && camera !== frame.cameraId) return;
    if (wanted !== undefined && wanted !== frame.trackId) return;
    const key = trackKey(frame);
    let track = this.tracks.get(key);
    if (!track) {
      track = new RecordedTrack(frame);
      this.tracks.set(key, track);
    }
    // Frames of a face come in order; one that is not newer is a redelivery.
    if (track.frames > 0 && frame.frame <= track.frame.at(track.frames - 1)) return;
    track.push(frame);
  }

  status({ cameraId, gap }: RecordedStatus): void {
    const { camera } = this.#selection;
    if (!gap || (camera !== undefined && camera !== cameraId)) return;
    if (this.gaps.some((known) => known.cameraId === cameraId && known.from === gap.from)) return;
    this.gaps.push({ cameraId, ...gap });
  }
}
