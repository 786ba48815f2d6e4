import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuFrame } from '../domain/event.ts';
import { type Gap, gapThreshold } from '../domain/gap.ts';
import { AU_COUNT, AU_NAMES, type AuName } from '../domain/scores.ts';
import { trackKey } from '../domain/track-key.ts';
import { AustreamError } from '../errors.ts';
import { Column } from './column.ts';

/** Faces of one report; a page with more could not be read. */
const MAX_TRACKS = 20_000;

/** Lower bound of the gap threshold for fast streams. */
const MIN_GAP_SECONDS = 1;

/** The fields of an AuFrame from a file or topic that a report needs. */
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

/** One track from its first to its last frame. All columns have `frameCount` values. */
export class RecordedTrack {
  readonly cameraId: string;
  readonly epoch: number;
  readonly trackId: number;
  readonly clockSource: string;
  readonly model: RecordedFrame['model'];
  /** Capture times in seconds: Unix time, or media time with clock source `file`. */
  readonly times = new Column(Float64Array);
  readonly frameNumbers = new Column(Float64Array);
  readonly qualityScores = new Column();
  /** (12) columns of scores, 0…1; NaN where the face was unreliable. */
  readonly raw = AU_NAMES.map(() => new Column());
  readonly smoothed = AU_NAMES.map(() => new Column());
  /** Per frame a bit mask: bit `au` is set while that AU is active. */
  readonly activeBits = new Column();
  readonly auReliability: (number | null)[] = Array(AU_COUNT).fill(null);
  /** Without a prototype: the causes are those of a file. */
  readonly unreliableCounts: Record<string, number> = Object.create(null);
  warmupCount = 0;
  #gapSeconds: number | null = null;

  constructor(first: RecordedFrame) {
    this.cameraId = first.cameraId;
    this.epoch = first.epoch;
    this.trackId = first.trackId;
    this.clockSource = first.clockSource;
    this.model = first.model;
  }

  get frameCount(): number {
    return this.times.length;
  }

  /** Seconds from the first to the last frame. */
  get duration(): number {
    return this.times.at(this.frameCount - 1) - this.times.at(0);
  }

  get scoredCount(): number {
    return this.frameCount - Object.values(this.unreliableCounts).reduce((sum, count) => sum + count, 0);
  }

  /**
   * Gap threshold in seconds: a longer time without a frame is a gap; a longer time without a scored frame ends an
   * activation. Recorded events lack the nominal frame interval, so the median distance of frames stands in for it.
   */
  get gapSeconds(): number {
    if (this.#gapSeconds === null) {
      const distances = Float64Array.from({ length: Math.max(0, this.frameCount - 1) }, (_, index) => {
        return this.times.at(index + 1) - this.times.at(index);
      }).sort();
      const median = distances[(distances.length - 1) >> 1] ?? 0;
      this.#gapSeconds = gapThreshold(MIN_GAP_SECONDS, 1e6 * median) / 1e6;
    }
    return this.#gapSeconds;
  }

  push(frame: RecordedFrame): void {
    this.#gapSeconds = null;
    this.times.push(frame.captureTime / 1e6);
    this.frameNumbers.push(frame.frame);
    this.qualityScores.push(frame.quality.score);
    if (frame.warmup) this.warmupCount += 1;
    const { unreliable } = frame.quality;
    if (unreliable) this.unreliableCounts[unreliable] = (this.unreliableCounts[unreliable] ?? 0) + 1;
    let active = 0;
    AU_NAMES.forEach((name, au) => {
      const state = frame.aus[name] ?? null;
      this.raw[au]!.push(state?.raw ?? Number.NaN);
      this.smoothed[au]!.push(state?.p ?? Number.NaN);
      if (state?.active) active |= 1 << au;
      if (state?.reliability != null) this.auReliability[au] = state.reliability;
    });
    this.activeBits.push(active);
  }
}

/** Restricts a recording to one camera or track id. */
interface RecordingFilter {
  readonly camera?: string | undefined;
  readonly track?: number | undefined;
}

/** The tracks and gaps of a report. Events may repeat (delivery is at least once) and tracks may be interleaved. */
export class Recording {
  readonly tracks = new Map<string, RecordedTrack>();
  readonly gaps: (Gap & { readonly cameraId: string })[] = [];
  readonly #knownGaps = new Set<string>();
  readonly #filter: RecordingFilter;

  constructor(filter: RecordingFilter = {}) {
    this.#filter = filter;
  }

  get cameras(): string[] {
    return [...new Set([...this.tracks.values()].map(({ cameraId }) => cameraId))].sort();
  }

  addFrame(frame: RecordedFrame): void {
    const { camera, track: trackId } = this.#filter;
    if (camera !== undefined && camera !== frame.cameraId) return;
    if (trackId !== undefined && trackId !== frame.trackId) return;
    const key = trackKey(frame);
    let track = this.tracks.get(key);
    if (!track) {
      if (this.tracks.size >= MAX_TRACKS)
        throw new AustreamError('ARGUMENT_INVALID', `the recording has more than ${MAX_TRACKS} faces`, {
          fix: 'report a part of it: --camera, --track, or a shorter file',
        });
      track = new RecordedTrack(frame);
      this.tracks.set(key, track);
    }
    // Frames of one track arrive in order: one that is not newer was redelivered.
    if (track.frameCount > 0 && frame.frame <= track.frameNumbers.at(track.frameCount - 1)) return;
    track.push(frame);
  }

  addStatus({ cameraId, gap }: RecordedStatus): void {
    const { camera } = this.#filter;
    if (!gap || (camera !== undefined && camera !== cameraId)) return;
    const key = `${cameraId}/${gap.from}`;
    if (this.#knownGaps.has(key)) return;
    this.#knownGaps.add(key);
    this.gaps.push({ cameraId, ...gap });
  }
}
