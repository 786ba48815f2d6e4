import { monotonicMs, wallMicros } from '../../clock.ts';
import { diagnostics } from '../../diagnostics.ts';
import type { ActivationEnd, AuActivation, AuFrame } from '../../domain/event.ts';
import type { FaceCrop } from '../../domain/face.ts';
import type { Micros } from '../../domain/frame.ts';
import { parseTrackKey, type TrackKey, trackKey } from '../../domain/track-key.ts';
import type { AuModel } from '../../infer/engine/index.ts';
import type { ScoredHop } from '../../infer/hop-scorer.ts';
import type { InferOptions } from '../../infer/options.ts';
import { InferStage } from '../../infer/stage.ts';
import type { FaceCropBatch } from '../../records/events.ts';
import { fromCropRecord, NO_TRACK } from '../crop-record.ts';
import { CommitWatermark } from './commit-watermark.ts';
import { EpochOrder } from './epoch-order.ts';
import type { StateRecord } from './state-record.ts';
import type { TransactionContent } from './transaction-content.ts';
import { WindowOffsets } from './window-offsets.ts';

/**
 * Why crops produce no event: the `cause` of metrics and summaries. `late`: not newer than a crop of the track that was
 * already processed; `old_epoch`: of another worker than the newest one that runs the camera; `undecodable`: this version
 * cannot read the record.
 */
export type SkipCause = 'late' | 'old_epoch' | 'undecodable';

export interface PartitionInferenceOptions {
  readonly infer: InferOptions;
  /** The state records that earlier owners wrote for this partition, by key. Null: unreadable, to be deleted. */
  readonly states: ReadonlyMap<string, StateRecord | null>;
  /** Records before this offset were processed by an earlier owner; null: the partition never had one. */
  readonly committed: number | null;
  /** The offset that the group has committed, which differs where the topic has lost records. Default: `committed`. */
  readonly inGroup?: number | null;
  /** The oldest offset that the topic still has. */
  readonly oldest?: number;
  /** The topic was created anew: offsets in the states mean nothing. */
  readonly rewound?: boolean;
  /** An epoch that sends nothing for this long does not block an older one. */
  readonly idleSeconds: number;
  /** The newest epoch was silent: an older one, of another worker, counts again. */
  epochRevived(cameraId: string, epoch: number): void;
  /** `cameraId` is `unknown` for records that cannot be decoded. */
  skipped(cause: SkipCause, crops: number, cameraId: string): void;
  /** `collect` has something to return. */
  commitPending(): void;
}

/** Stands for the camera of a record that cannot be decoded. */
export const UNKNOWN_CAMERA = 'unknown';
/** Ended tracks that are remembered, so that repeated crops of them are recognised as late. */
const MAX_ENDED_TRACKS = 2_048;
/** Each has a window of embeddings, about 100 kB. A new track beyond them closes the one that was silent the longest. */
const MAX_LIVE_TRACKS = 1_024;
/** Cameras whose newest epoch is remembered. Those that began an epoch the longest ago are forgotten. */
const MAX_CAMERAS = 10_000;
/**
 * A track that waits for more crops keeps the committed offset back. This many times the idle time closes it whatever it
 * waits for: a file whose worker is gone, or later records of a partition that is never read to its end.
 */
const LONGEST_WAIT = 10;

/**
 * How many records may be processed behind the oldest one that is not committed. Replays of them are recognised by the states
 * of their tracks, of which `MAX_ENDED_TRACKS` are remembered; a record ends one track at most.
 */
const MAX_RECORDS_BEHIND = MAX_ENDED_TRACKS;

interface LiveTrack {
  readonly id: TrackKey;
  readonly windowOffsets: WindowOffsets;
  /** The newest frame that was accepted. */
  newestFrame: number;
  /** Its capture time. */
  newestTime: Micros;
  /** Frames that an earlier owner has scored and that only refill the window, inclusive. */
  readonly refill: { readonly from: number; readonly through: number } | null;
  /** Crops that no hop has scored yet, oldest first. */
  unscored: { readonly frame: number; readonly offset: number }[];
  /** Offsets of the records that end the track and wait for its last hop. */
  pendingEnds: number[];
  readonly isLiveSource: boolean;
  /** Its newest state record; null before its first hop. */
  record: StateRecord | null;
  /** When the newest crop arrived (ms); null: the track is being closed as idle. */
  lastReceivedAt: number | null;
}

/**
 * Inference over one partition of the crops topic: records in offset order in, the events of complete hops out, each
 * with the state of its track, so that the next owner resumes exactly there. The track's state decides which frames
 * were published; the committed offset only decides where reading starts.
 */
export class PartitionInference {
  /** Rejects when the model fails. */
  readonly failed: Promise<never>;
  /** The offset to read from: the committed one, or an earlier one from which windows are refilled. */
  readonly start: number | null;
  readonly #options: PartitionInferenceOptions;
  readonly #stage: InferStage;
  readonly #windowSize: number;
  readonly #tracks = new Map<string, LiveTrack>();
  /** The newest scored frame of ended tracks, in the order in which they ended. */
  readonly #endedTracks = new Map<string, number>();
  readonly #epochs: EpochOrder;
  readonly #watermark: CommitWatermark;
  #frames: AuFrame[] = [];
  #activations: AuActivation[] = [];
  #states = new Map<string, StateRecord | null>();
  /** Changes of the state to make once the watermark has passed `offset`: until then a replay may need the old one. */
  #afterOffset: { readonly offset: number; readonly act: () => void }[] = [];
  /** The offset of the last `collect`. */
  #collectedOffset: number | null;
  #abandoned = false;

  constructor(model: AuModel, options: PartitionInferenceOptions) {
    this.#options = options;
    this.#epochs = new EpochOrder(options.idleSeconds);
    this.#windowSize = model.windowSize;
    this.#stage = new InferStage(
      model,
      // The worker pauses the consumer instead; a crop dropped here would be lost although Kafka still holds it.
      { ...options.infer, maxWaiting: Number.MAX_SAFE_INTEGER },
      {
        frames: (frames) => {
          if (!this.#abandoned && diagnostics.published.hasSubscribers)
            diagnostics.published.publish({ frames, at: wallMicros() });
        },
        activations: () => {},
        dropped: () => {},
        hop: (hop) => this.#onHop(hop),
      },
    );
    this.failed = this.#stage.failed;
    this.#watermark = new CommitWatermark(options.committed ?? 0);
    this.#collectedOffset = options.inGroup === undefined ? options.committed : options.inGroup;
    let start = options.committed;
    for (const [key, record] of options.states) {
      if (record === null || this.#isOneTooMany(record)) {
        this.#states.set(key, null);
        continue;
      }
      const windowOffset = this.#restore(key, options.rewound ? withoutWindow(record) : record);
      if (windowOffset !== null && start !== null) start = Math.min(start, windowOffset);
    }
    // Older records of the windows are gone.
    this.start = start === null ? null : Math.max(start, options.oldest ?? 0);
  }

  /** Crops that wait for the model. */
  get waiting(): number {
    return this.#stage.queuedCrops;
  }

  /** Events that `collect` has not returned yet. */
  get unpublished(): { readonly frames: number; readonly activations: number } {
    return { frames: this.#frames.length, activations: this.#activations.length };
  }

  /** Discards everything that is not scored; nothing is emitted any more. */
  abandon(): void {
    this.#abandoned = true;
    this.#stage.discardQueue();
  }

  /** Processes the next record; `batch` is null if it could not be decoded. `now`: ms. */
  process(offset: number, batch: FaceCropBatch | null, now: number): void {
    this.#watermark.add(offset);
    try {
      this.#applyRecord(offset, batch, now);
    } finally {
      this.#watermark.done(offset);
    }
  }

  /**
   * Closes the tracks of live sources that have received nothing for `idleSeconds`, as if there were a gap. Files, which
   * another worker may play again, and tracks of a partition that is not read to its end get `LONGEST_WAIT` times as long.
   * `now`: ms.
   */
  closeIdleTracks(now: number, caughtUp: boolean): void {
    const idleMs = this.#options.idleSeconds * 1_000;
    for (const track of this.#tracks.values()) {
      const limit = track.isLiveSource && caughtUp ? idleMs : idleMs * LONGEST_WAIT;
      if (track.lastReceivedAt !== null && track.lastReceivedAt < now - limit) this.#closeTrack(track);
    }
    this.#closeTracksThatPin();
  }

  /** `collect` returns the state of every track and camera once more: the state topic has lost them. */
  restate(): void {
    for (const [key, { record }] of this.#tracks)
      if (record && !this.#states.has(key)) this.#states.set(key, record);
    for (const [key, scored] of this.#endedTracks)
      if (!this.#states.has(key)) this.#states.set(key, { kind: 'over', scored });
    for (const [cameraId, epoch] of this.#epochs.current)
      if (!this.#states.has(cameraId)) this.#states.set(cameraId, { kind: 'camera', epoch });
    this.#options.commitPending();
  }

  /** The record is not processed, although later ones are. */
  skip(offset: number): void {
    this.#watermark.add(offset);
    this.#watermark.done(offset);
  }

  /** Resolves when the model has processed every crop so far. Hops that are not full keep waiting for frames. */
  settled(): Promise<void> {
    return this.#stage.flush();
  }

  /** Whether `collect` has anything to return. */
  get hasContent(): boolean {
    this.#applyPassedOffsets();
    return this.#states.size > 0 || this.#watermark.next !== (this.#collectedOffset ?? 0);
  }

  /** Returns what has accumulated since the last call, for one transaction. */
  collect(): TransactionContent {
    this.#applyPassedOffsets();
    const { next } = this.#watermark;
    // States without an offset would look as if the offset had gone with the topic.
    const hasStates = [...this.#states.values()].some((state) => state !== null);
    const offset = next === 0 && this.#collectedOffset === null && !hasStates ? null : next;
    const content = { frames: this.#frames, activations: this.#activations, states: this.#states, offset };
    this.#frames = [];
    this.#activations = [];
    this.#states = new Map();
    this.#collectedOffset = offset;
    return content;
  }

  #applyPassedOffsets(): void {
    const offset = this.#watermark.next;
    while (this.#afterOffset[0] && this.#afterOffset[0].offset < offset) this.#afterOffset.shift()!.act();
  }

  /** Returns the offset from which the track's window is refilled; null if it has none. */
  #restore(key: string, record: StateRecord): number | null {
    if (record.kind === 'camera') {
      this.#epochs.begin(key, record.epoch);
      return null;
    }
    if (record.kind === 'over') {
      this.#endedTracks.set(key, record.scored);
      return null;
    }
    const id = parseTrackKey(key)!;
    const { window, track, isLiveSource } = record;
    this.#stage.restoreTrack(id, track);
    this.#tracks.set(key, {
      ...this.#newTrack(id, isLiveSource),
      newestFrame: window === null ? track.lastScoredFrame : window.frame - 1,
      newestTime: window === null ? (track.smoother.samples.at(-1)?.captureTime ?? -1) : -1,
      refill: window && { from: window.frame, through: track.lastScoredFrame },
      record,
    });
    return window?.offset ?? null;
  }

  #newTrack(id: TrackKey, isLiveSource: boolean): LiveTrack {
    return {
      id,
      windowOffsets: new WindowOffsets(this.#windowSize),
      newestFrame: -1,
      newestTime: -1,
      refill: null,
      unscored: [],
      pendingEnds: [],
      isLiveSource,
      record: null,
      lastReceivedAt: monotonicMs(),
    };
  }

  #applyRecord(offset: number, batch: FaceCropBatch | null, now: number): void {
    const isReplay = offset < (this.#options.committed ?? 0);
    const crops = batch && decodeCrops(batch);
    if (!batch || !crops) {
      if (!isReplay) this.#options.skipped('undecodable', 1, batch?.cameraId ?? UNKNOWN_CAMERA);
      return;
    }
    if (isReplay) {
      this.#refill(offset, crops);
      return;
    }
    const { cameraId, epoch } = batch;
    const verdict = this.#epochs.judge(cameraId, epoch, crops.at(-1)?.receivedAt ?? null);
    if (verdict === 'old') {
      this.#options.skipped('old_epoch', crops.length, cameraId);
      return;
    }
    if (verdict === 'revives') this.#options.epochRevived(cameraId, epoch);
    if (verdict !== 'current') this.#beginEpoch(batch, offset);
    if (batch.trackId !== NO_TRACK) this.#addCrops(batch, offset, crops, now);
    if (batch.ended)
      this.#endTrack(trackKey(batch), offset, batch.epochEnded ? 'epoch_ended' : 'track_ended');
  }

  /** Records before the committed offset were processed by an earlier owner: their crops only refill windows. */
  #refill(offset: number, crops: readonly FaceCrop[]): void {
    for (const crop of crops) {
      const track = this.#tracks.get(trackKey(crop));
      if (track && crop.frame > track.newestFrame) this.#push(track, offset, crop);
    }
  }

  #addCrops(batch: FaceCropBatch, offset: number, crops: readonly FaceCrop[], now: number): void {
    const key = trackKey(batch);
    let track = this.#tracks.get(key);
    const newestFrame = track?.newestFrame ?? this.#endedTracks.get(key) ?? -1;
    const newestTime = track?.newestTime ?? -1;
    const newCrops = crops.filter((crop) => crop.frame > newestFrame && crop.captureTime >= newestTime);
    if (newCrops.length < crops.length)
      this.#options.skipped('late', crops.length - newCrops.length, batch.cameraId);
    if (newCrops.length === 0) return;
    if (!track) {
      const { cameraId, epoch, trackId } = batch;
      this.#makeRoomForTrack();
      track = this.#newTrack({ cameraId, epoch, trackId }, batch.clockSource !== 'file');
      this.#endedTracks.delete(key);
      this.#tracks.set(key, track);
    }
    track.lastReceivedAt = now;
    for (const crop of newCrops) this.#push(track, offset, crop);
  }

  /** More records than an owner keeps are not an owner's: each would take memory for good. */
  #isOneTooMany({ kind }: StateRecord): boolean {
    if (kind === 'live') return this.#tracks.size >= MAX_LIVE_TRACKS;
    return kind === 'over' ? this.#endedTracks.size >= MAX_ENDED_TRACKS : this.#epochs.size >= MAX_CAMERAS;
  }

  #makeRoomForTrack(): void {
    if (this.#tracks.size < MAX_LIVE_TRACKS) return;
    let oldest: LiveTrack | null = null;
    for (const track of this.#tracks.values())
      if (track.lastReceivedAt !== null && track.lastReceivedAt < (oldest?.lastReceivedAt ?? Infinity))
        oldest = track;
    if (oldest) this.#closeTrack(oldest);
  }

  /** No track keeps the committed offset back by more than `MAX_RECORDS_BEHIND`. */
  #closeTracksThatPin(): void {
    const limit = this.#watermark.end - MAX_RECORDS_BEHIND;
    if (this.#watermark.next >= limit) return;
    for (const track of this.#tracks.values()) {
      const oldest = Math.min(track.unscored[0]?.offset ?? Infinity, track.pendingEnds[0] ?? Infinity);
      if (oldest < limit && track.lastReceivedAt !== null) this.#closeTrack(track);
    }
  }

  /** Ends a track as if there were a gap. */
  #closeTrack(track: LiveTrack): void {
    track.lastReceivedAt = null;
    this.#stage.endTrack(track.id, 'gap');
  }

  #push(track: LiveTrack, offset: number, crop: FaceCrop): void {
    track.newestFrame = crop.frame;
    track.newestTime = crop.captureTime;
    track.windowOffsets.append({ offset, frame: crop.frame, reliable: crop.quality.unreliable === null });
    if (track.refill === null || crop.frame > track.refill.through) {
      track.unscored.push({ frame: crop.frame, offset });
      this.#watermark.hold(offset);
    }
    const { pixels: _, trackId: __, box: ___, quality: ____, ...stamp } = crop;
    // `failed` reports a failure of the model.
    this.#stage.push({ ...stamp, crops: [crop], endedTracks: [] }).catch(() => {});
  }

  /** Ends every other epoch of the camera: the ingest worker that ran it may have died before it could. */
  #beginEpoch({ cameraId, epoch }: FaceCropBatch, offset: number): void {
    this.#epochs.begin(cameraId, epoch);
    if (this.#epochs.size > MAX_CAMERAS) this.#forgetCamera(this.#epochs.oldestCamera);
    const isEarlier = (id: TrackKey) => id.cameraId === cameraId && id.epoch < epoch;
    for (const [key, { id }] of this.#tracks)
      if (id.cameraId === cameraId && id.epoch !== epoch) this.#endTrack(key, offset, 'epoch_ended');
    this.#afterOffset.push({
      offset,
      act: () => {
        if (this.#epochs.has(cameraId)) this.#states.set(cameraId, { kind: 'camera', epoch });
        for (const key of this.#endedTracks.keys())
          if (isEarlier(parseTrackKey(key)!)) this.#forgetEnded(key);
      },
    });
  }

  #endTrack(key: string, offset: number, reason: ActivationEnd): void {
    const track = this.#tracks.get(key);
    if (!track) return;
    track.pendingEnds.push(offset);
    this.#watermark.hold(offset);
    this.#stage.endTrack(track.id, reason);
  }

  #onHop({ track: id, state, endReason, trackClosed, frames, activations }: ScoredHop): void {
    if (this.#abandoned) return;
    const key = trackKey(id);
    const track = this.#tracks.get(key)!;
    this.#frames.push(...frames);
    this.#activations.push(...activations);
    while (track.unscored[0] && track.unscored[0].frame <= state.lastScoredFrame)
      this.#watermark.done(track.unscored.shift()!.offset);
    if (endReason !== null) track.windowOffsets.discardThrough(state.lastScoredFrame);
    if (trackClosed) for (const offset of track.pendingEnds.splice(0)) this.#watermark.done(offset);
    if (trackClosed && track.unscored.length === 0) {
      this.#tracks.delete(key);
      this.#rememberEnded(key, state.lastScoredFrame);
    } else {
      const window = track.windowOffsets.windowStart(state.lastScoredFrame);
      track.record = { kind: 'live', track: state, window, isLiveSource: track.isLiveSource };
      this.#states.set(key, track.record);
    }
    this.#options.commitPending();
  }

  #rememberEnded(key: string, scored: number): void {
    this.#endedTracks.delete(key);
    this.#endedTracks.set(key, scored);
    this.#states.set(key, { kind: 'over', scored });
    if (this.#endedTracks.size > MAX_ENDED_TRACKS) this.#forgetEnded(this.#endedTracks.keys().next().value!);
  }

  #forgetCamera(cameraId: string): void {
    this.#epochs.forget(cameraId);
    this.#states.set(cameraId, null);
  }

  #forgetEnded(key: string): void {
    this.#endedTracks.delete(key);
    this.#states.set(key, null);
  }
}

function withoutWindow(record: StateRecord): StateRecord {
  return record.kind === 'live' ? { ...record, window: null } : record;
}

/** Null if this version cannot read the crops. */
function decodeCrops(batch: FaceCropBatch): FaceCrop[] | null {
  try {
    return fromCropRecord(batch);
  } catch {
    return null;
  }
}
