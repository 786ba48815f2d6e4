import { diagnostics, nowMicros } from '../../diagnostics.ts';
import type { ActivationEnd, AuActivation, AuFrame } from '../../domain/event.ts';
import type { FaceCrop } from '../../domain/face.ts';
import { parseTrackKey, type TrackKey, trackKey } from '../../domain/track-key.ts';
import type { AuModel } from '../../infer/engine/index.ts';
import type { InferOptions } from '../../infer/options.ts';
import { InferStage, type ScoredHop } from '../../infer/stage.ts';

import type { FaceCropBatch } from '../../records/events.ts';
import { fromCropRecord, NO_TRACK } from '../crop-record.ts';
import { CommitWatermark } from './commit-watermark.ts';
import type { StateRecord } from './state-record.ts';
import { WindowOffsets } from './window-offsets.ts';

/** All that one transaction carries. */
export interface TransactionContent {
  readonly frames: readonly AuFrame[];
  readonly activations: readonly AuActivation[];
  /** Null takes a record away. */
  readonly states: ReadonlyMap<string, StateRecord | null>;
  /** Everything before this offset of the crops is dealt with. */
  readonly offset: number;
}

/** Crops that were passed over, by cause: `late` ones came again or out of turn, `old_epoch` ones from an epoch that is over. */
export type SkipReason = 'late' | 'old_epoch' | 'undecodable';

export interface PartitionInferenceOptions {
  readonly infer: InferOptions;
  /** What earlier owners left: the state records of this partition, by key. */
  readonly states: ReadonlyMap<string, StateRecord>;
  /** Where the earlier owner was; null: nobody was here before. */
  readonly committed: number | null;
  /** `cameraId` is `unknown` for what cannot be read. */
  skipped(cause: SkipReason, crops: number, cameraId: string): void;
  /** Something can be committed. */
  commitPending(): void;
}

/** The camera of crops that nobody can tell it of. */
export const UNKNOWN_CAMERA = 'unknown';
/** `over` tracks that are remembered, so that what comes again of them is known. */
const MAX_ENDED_TRACKS = 2_048;

interface LiveTrack {
  readonly id: TrackKey;
  readonly windowOffsets: WindowOffsets;
  /** Newest frame that was taken. */
  newestFrame: number;
  /** Crops of the window that an earlier owner has scored are wanted from here to here, to fill it again. */
  readonly refill: { readonly from: number; readonly through: number } | null;
  /** What waits for a hop, in order. */
  unscored: { readonly frame: number; readonly offset: number }[];
  /** Offsets of records that wait for the track's end. */
  pendingEnds: number[];
  readonly isLiveSource: boolean;
  /** When something of it came last (ms); null: it is being closed for its silence. */
  lastReceivedAt: number | null;
}

/**
 * One partition of the crops topic: records in order of their offsets in, the events of whole hops out, each with the
 * state of its track, so that the next owner goes on exactly there. A track's own state says what of it was published;
 * offsets only say from where to read.
 */
export class PartitionInference {
  /** Rejects when the model fails. */
  readonly failed: Promise<never>;
  /** Where to read from. */
  readonly start: number | null;
  readonly #options: PartitionInferenceOptions;
  readonly #stage: InferStage;
  readonly #windowSize: number;
  readonly #tracks = new Map<string, LiveTrack>();
  /** Newest scored frame of tracks that are over, the one that ended longest ago first. */
  readonly #endedTracks = new Map<string, number>();
  readonly #epochs = new Map<string, number>();
  readonly #offsets: CommitWatermark;
  #frames: AuFrame[] = [];
  #activations: AuActivation[] = [];
  #states = new Map<string, StateRecord | null>();
  /** What may be done when everything up to an offset is dealt with, for until then it may come again. */
  #afterOffset: { readonly offset: number; readonly act: () => void }[] = [];
  #collectedOffset: number | null;
  #abandoned = false;

  constructor(model: AuModel, options: PartitionInferenceOptions) {
    this.#options = options;
    this.#windowSize = model.windowSize;
    this.#stage = new InferStage(
      model,
      { ...options.infer, maxWaiting: Number.MAX_SAFE_INTEGER },
      {
        frames: (frames) => {
          if (!this.#abandoned && diagnostics.published.hasSubscribers)
            diagnostics.published.publish({ frames, at: nowMicros() });
        },
        activations: () => {},
        dropped: () => {},
        hop: (hop) => this.#onHop(hop),
      },
    );
    this.failed = this.#stage.failed;
    this.#offsets = new CommitWatermark(options.committed ?? 0);
    this.#collectedOffset = options.committed;
    let start = options.committed;
    for (const [key, record] of options.states) {
      const window = this.#restore(key, record);
      if (window !== null && start !== null) start = Math.min(start, window);
    }
    this.start = start;
  }

  /** Crops that wait for the model. */
  get waiting(): number {
    return this.#stage.waiting;
  }

  /** Events that no `output` has carried yet. */
  get unpublished(): number {
    return this.#frames.length + this.#activations.length;
  }

  /** Gives up all that waits; nothing comes out any more. */
  abandon(): void {
    this.#abandoned = true;
    this.#stage.abandon();
  }

  /** Takes the next record; null: it could not be decoded. `now`: ms. */
  process(offset: number, batch: FaceCropBatch | null, now: number): void {
    this.#offsets.add(offset);
    this.#applyRecord(offset, batch, now);
    this.#offsets.done(offset);
  }

  /** Closes live tracks of which nothing has come since `since` (ms). */
  closeIdleTracks(since: number): void {
    for (const track of this.#tracks.values())
      if (track.isLiveSource && track.lastReceivedAt !== null && track.lastReceivedAt < since) {
        track.lastReceivedAt = null;
        this.#stage.endTrack(track.id, 'gap');
      }
  }

  /** What has come together since the last call; null: nothing. */
  collect(): TransactionContent | null {
    const offset = this.#offsets.next;
    while (this.#afterOffset[0] && this.#afterOffset[0].offset < offset) this.#afterOffset.shift()!.act();
    if (this.#states.size === 0 && offset === (this.#collectedOffset ?? 0)) return null;
    const output = { frames: this.#frames, activations: this.#activations, states: this.#states, offset };
    this.#frames = [];
    this.#activations = [];
    this.#states = new Map();
    this.#collectedOffset = offset;
    return output;
  }

  /** The offset from which the track's window can be filled again. */
  #restore(key: string, record: StateRecord): number | null {
    if (record.kind === 'camera') {
      this.#epochs.set(key, record.epoch);
      return null;
    }
    if (record.kind === 'over') {
      this.#endedTracks.set(key, record.scored);
      return null;
    }
    const id = parseTrackKey(key)!;
    const { window, track, isLiveSource } = record;
    this.#stage.restore(id, track);
    this.#tracks.set(key, {
      ...this.#newTrack(id, isLiveSource),
      newestFrame: window === null ? track.scored : window.frame - 1,
      refill: window && { from: window.frame, through: track.scored },
    });
    return window?.offset ?? null;
  }

  #newTrack(id: TrackKey, isLiveSource: boolean): LiveTrack {
    const windowOffsets = new WindowOffsets(this.#windowSize);
    return {
      id,
      windowOffsets,
      newestFrame: -1,
      refill: null,
      unscored: [],
      pendingEnds: [],
      isLiveSource,
      lastReceivedAt: Date.now(),
    };
  }

  #applyRecord(offset: number, batch: FaceCropBatch | null, now: number): void {
    const before = offset < (this.#options.committed ?? 0);
    let crops: FaceCrop[];
    try {
      if (batch === null) throw new Error('not a FaceCropBatch');
      crops = fromCropRecord(batch);
    } catch {
      if (!before) this.#options.skipped('undecodable', 1, batch?.cameraId ?? UNKNOWN_CAMERA);
      return;
    }
    if (before) {
      this.#refill(offset, crops);
      return;
    }
    const { cameraId, epoch } = batch!;
    const newest = this.#epochs.get(cameraId);
    if (newest !== undefined && epoch < newest) {
      this.#options.skipped('old_epoch', crops.length, cameraId);
      return;
    }
    if (newest === undefined || epoch > newest) this.#beginEpoch(batch!, offset);
    if (batch!.trackId !== NO_TRACK) this.#addCrops(batch!, offset, crops, now);
    if (batch!.ended)
      this.#endTrack(trackKey(batch!), offset, batch!.epochEnded ? 'epoch_ended' : 'track_ended');
  }

  /** A record that an earlier owner has dealt with: only windows need it. */
  #refill(offset: number, crops: readonly FaceCrop[]): void {
    for (const crop of crops) {
      const track = this.#tracks.get(trackKey(crop));
      if (track && crop.frame > track.newestFrame) this.#push(track, offset, crop);
    }
  }

  #addCrops(batch: FaceCropBatch, offset: number, crops: readonly FaceCrop[], now: number): void {
    const key = trackKey(batch);
    let track = this.#tracks.get(key);
    const known = track?.newestFrame ?? this.#endedTracks.get(key) ?? -1;
    const fresh = crops.filter((crop) => crop.frame > known);
    if (fresh.length < crops.length)
      this.#options.skipped('late', crops.length - fresh.length, batch.cameraId);
    if (fresh.length === 0) return;
    if (!track) {
      const { cameraId, epoch, trackId } = batch;
      track = this.#newTrack({ cameraId, epoch, trackId }, batch.clockSource !== 'file');
      this.#endedTracks.delete(key);
      this.#tracks.set(key, track);
    }
    track.lastReceivedAt = now;
    for (const crop of fresh) this.#push(track, offset, crop);
  }

  #push(track: LiveTrack, offset: number, crop: FaceCrop): void {
    track.newestFrame = crop.frame;
    track.windowOffsets.append({ offset, frame: crop.frame, reliable: crop.quality.unreliable === null });
    if (track.refill === null || crop.frame > track.refill.through) {
      track.unscored.push({ frame: crop.frame, offset });
      this.#offsets.hold(offset);
    }
    const { pixels: _, trackId: __, box: ___, quality: ____, ...stamp } = crop;
    void this.#stage.push({ ...stamp, crops: [crop], endedTracks: [] });
  }

  /** Every earlier epoch of the camera is over, also where the worker that ran it died and could not say so. */
  #beginEpoch({ cameraId, epoch }: FaceCropBatch, offset: number): void {
    this.#epochs.set(cameraId, epoch);
    const earlier = ({ id }: { id: TrackKey }) => id.cameraId === cameraId && id.epoch < epoch;
    for (const [key, track] of this.#tracks) if (earlier(track)) this.#endTrack(key, offset, 'epoch_ended');
    this.#afterOffset.push({
      offset,
      act: () => {
        this.#states.set(cameraId, { kind: 'camera', epoch });
        for (const key of this.#endedTracks.keys())
          if (earlier({ id: parseTrackKey(key)! })) this.#forgetEnded(key);
      },
    });
  }

  #endTrack(key: string, offset: number, reason: ActivationEnd): void {
    const track = this.#tracks.get(key);
    if (!track) return;
    track.pendingEnds.push(offset);
    this.#offsets.hold(offset);
    this.#stage.endTrack(track.id, reason);
  }

  #onHop({ track: id, state, end, over, frames, activations }: ScoredHop): void {
    if (this.#abandoned) return;
    const key = trackKey(id);
    const track = this.#tracks.get(key)!;
    this.#frames.push(...frames);
    this.#activations.push(...activations);
    while (track.unscored[0] && track.unscored[0].frame <= state.scored)
      this.#offsets.done(track.unscored.shift()!.offset);
    if (end !== null) track.windowOffsets.discardThrough(state.scored);
    if (over) for (const offset of track.pendingEnds.splice(0)) this.#offsets.done(offset);
    if (over && track.unscored.length === 0) {
      this.#tracks.delete(key);
      this.#rememberEnded(key, state.scored);
    } else {
      const window = track.windowOffsets.windowStart(state.scored);
      this.#states.set(key, { kind: 'live', track: state, window, isLiveSource: track.isLiveSource });
    }
    this.#options.commitPending();
  }

  #rememberEnded(key: string, scored: number): void {
    this.#endedTracks.delete(key);
    this.#endedTracks.set(key, scored);
    this.#states.set(key, { kind: 'over', scored });
    if (this.#endedTracks.size > MAX_ENDED_TRACKS) this.#forgetEnded(this.#endedTracks.keys().next().value!);
  }

  #forgetEnded(key: string): void {
    this.#endedTracks.delete(key);
    this.#states.set(key, null);
  }
}
