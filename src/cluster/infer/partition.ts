import { diagnostics, nowMicros } from '../../diagnostics.ts';
import type { ActivationEnd, AuActivation, AuFrame } from '../../domain/event.ts';
import type { FaceCrop } from '../../domain/face.ts';
import { parseTrackKey, type TrackKey, trackKey } from '../../domain/track-key.ts';
import type { AuModel } from '../../infer/engine/index.ts';
import type { InferOptions } from '../../infer/options.ts';
import { InferStage, type ScoredHop } from '../../infer/stage.ts';

import type { FaceCropBatch } from '../../records/events.ts';
import { cropsOf, NO_TRACK } from '../record.ts';
import { CommitWatermark } from './commit-watermark.ts';
import { WindowSources } from './sources.ts';
import type { StateRecord } from './state.ts';

/** All that one transaction carries. */
export interface Output {
  readonly frames: readonly AuFrame[];
  readonly activations: readonly AuActivation[];
  /** Null takes a record away. */
  readonly states: ReadonlyMap<string, StateRecord | null>;
  /** Everything before this offset of the crops is dealt with. */
  readonly offset: number;
}

/** Crops that were passed over, by cause: `late` ones came again or out of turn, `old_epoch` ones from an epoch that is over. */
export type PassedOver = 'late' | 'old_epoch' | 'undecodable';

export interface PartitionOptions {
  readonly infer: InferOptions;
  /** What earlier owners left: the state records of this partition, by key. */
  readonly states: ReadonlyMap<string, StateRecord>;
  /** Where the earlier owner was; null: nobody was here before. */
  readonly committed: number | null;
  /** `cameraId` is `unknown` for what cannot be read. */
  passedOver(cause: PassedOver, crops: number, cameraId: string): void;
  /** Something can be committed. */
  ready(): void;
}

/** The camera of crops that nobody can tell it of. */
export const UNKNOWN = 'unknown';
/** `over` tracks that are remembered, so that what comes again of them is known. */
const REMEMBERED = 2_048;

interface LiveTrack {
  readonly id: TrackKey;
  readonly sources: WindowSources;
  /** Newest frame that was taken. */
  newest: number;
  /** Crops of the window that an earlier owner has scored are wanted from here to here, to fill it again. */
  readonly refill: { readonly from: number; readonly through: number } | null;
  /** What waits for a hop, in order. */
  waiting: { readonly frame: number; readonly offset: number }[];
  /** Offsets of records that wait for the track's end. */
  ending: number[];
  readonly isLiveSource: boolean;
  /** When something of it came last (ms); null: it is being closed for its silence. */
  heardAt: number | null;
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
  readonly #options: PartitionOptions;
  readonly #stage: InferStage;
  readonly #windowSize: number;
  readonly #tracks = new Map<string, LiveTrack>();
  /** Newest scored frame of tracks that are over, the one that ended longest ago first. */
  readonly #over = new Map<string, number>();
  readonly #epochs = new Map<string, number>();
  readonly #offsets: CommitWatermark;
  #frames: AuFrame[] = [];
  #activations: AuActivation[] = [];
  #states = new Map<string, StateRecord | null>();
  /** What may be done when everything up to an offset is dealt with, for until then it may come again. */
  #onceCommitted: { readonly offset: number; readonly act: () => void }[] = [];
  #givenOffset: number | null;
  #abandoned = false;

  constructor(model: AuModel, options: PartitionOptions) {
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
    this.#givenOffset = options.committed;
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
  take(offset: number, batch: FaceCropBatch | null, now: number): void {
    this.#offsets.add(offset);
    this.#applyRecord(offset, batch, now);
    this.#offsets.done(offset);
  }

  /** Closes live tracks of which nothing has come since `since` (ms). */
  closeSilent(since: number): void {
    for (const track of this.#tracks.values())
      if (track.isLiveSource && track.heardAt !== null && track.heardAt < since) {
        track.heardAt = null;
        this.#stage.endTrack(track.id, 'gap');
      }
  }

  /** What has come together since the last call; null: nothing. */
  output(): Output | null {
    const offset = this.#offsets.next;
    while (this.#onceCommitted[0] && this.#onceCommitted[0].offset < offset)
      this.#onceCommitted.shift()!.act();
    if (this.#states.size === 0 && offset === (this.#givenOffset ?? 0)) return null;
    const output = { frames: this.#frames, activations: this.#activations, states: this.#states, offset };
    this.#frames = [];
    this.#activations = [];
    this.#states = new Map();
    this.#givenOffset = offset;
    return output;
  }

  /** The offset from which the track's window can be filled again. */
  #restore(key: string, record: StateRecord): number | null {
    if (record.kind === 'camera') {
      this.#epochs.set(key, record.epoch);
      return null;
    }
    if (record.kind === 'over') {
      this.#over.set(key, record.scored);
      return null;
    }
    const id = parseTrackKey(key)!;
    const { window, track, isLiveSource } = record;
    this.#stage.restore(id, track);
    this.#tracks.set(key, {
      ...this.#newTrack(id, isLiveSource),
      newest: window === null ? track.scored : window.frame - 1,
      refill: window && { from: window.frame, through: track.scored },
    });
    return window?.offset ?? null;
  }

  #newTrack(id: TrackKey, isLiveSource: boolean): LiveTrack {
    const sources = new WindowSources(this.#windowSize);
    return {
      id,
      sources,
      newest: -1,
      refill: null,
      waiting: [],
      ending: [],
      isLiveSource,
      heardAt: Date.now(),
    };
  }

  #applyRecord(offset: number, batch: FaceCropBatch | null, now: number): void {
    const before = offset < (this.#options.committed ?? 0);
    let crops: FaceCrop[];
    try {
      if (batch === null) throw new Error('not a FaceCropBatch');
      crops = cropsOf(batch);
    } catch {
      if (!before) this.#options.passedOver('undecodable', 1, batch?.cameraId ?? UNKNOWN);
      return;
    }
    if (before) {
      this.#refill(offset, crops);
      return;
    }
    const { cameraId, epoch } = batch!;
    const newest = this.#epochs.get(cameraId);
    if (newest !== undefined && epoch < newest) {
      this.#options.passedOver('old_epoch', crops.length, cameraId);
      return;
    }
    if (newest === undefined || epoch > newest) this.#beginEpoch(batch!, offset);
    if (batch!.trackId !== NO_TRACK) this.#feed(batch!, offset, crops, now);
    if (batch!.ended)
      this.#endTrack(trackKey(batch!), offset, batch!.epochEnded ? 'epoch_ended' : 'track_ended');
  }

  /** A record that an earlier owner has dealt with: only windows need it. */
  #refill(offset: number, crops: readonly FaceCrop[]): void {
    for (const crop of crops) {
      const track = this.#tracks.get(trackKey(crop));
      if (track && crop.frame > track.newest) this.#push(track, offset, crop);
    }
  }

  #feed(batch: FaceCropBatch, offset: number, crops: readonly FaceCrop[], now: number): void {
    const key = trackKey(batch);
    let track = this.#tracks.get(key);
    const known = track?.newest ?? this.#over.get(key) ?? -1;
    const fresh = crops.filter((crop) => crop.frame > known);
    if (fresh.length < crops.length)
      this.#options.passedOver('late', crops.length - fresh.length, batch.cameraId);
    if (fresh.length === 0) return;
    if (!track) {
      const { cameraId, epoch, trackId } = batch;
      track = this.#newTrack({ cameraId, epoch, trackId }, batch.clockSource !== 'file');
      this.#over.delete(key);
      this.#tracks.set(key, track);
    }
    track.heardAt = now;
    for (const crop of fresh) this.#push(track, offset, crop);
  }

  #push(track: LiveTrack, offset: number, crop: FaceCrop): void {
    track.newest = crop.frame;
    track.sources.append({ offset, frame: crop.frame, reliable: crop.quality.unreliable === null });
    if (track.refill === null || crop.frame > track.refill.through) {
      track.waiting.push({ frame: crop.frame, offset });
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
    this.#onceCommitted.push({
      offset,
      act: () => {
        this.#states.set(cameraId, { kind: 'camera', epoch });
        for (const key of this.#over.keys()) if (earlier({ id: parseTrackKey(key)! })) this.#forget(key);
      },
    });
  }

  #endTrack(key: string, offset: number, reason: ActivationEnd): void {
    const track = this.#tracks.get(key);
    if (!track) return;
    track.ending.push(offset);
    this.#offsets.hold(offset);
    this.#stage.endTrack(track.id, reason);
  }

  #onHop({ track: id, state, end, over, frames, activations }: ScoredHop): void {
    if (this.#abandoned) return;
    const key = trackKey(id);
    const track = this.#tracks.get(key)!;
    this.#frames.push(...frames);
    this.#activations.push(...activations);
    while (track.waiting[0] && track.waiting[0].frame <= state.scored)
      this.#offsets.done(track.waiting.shift()!.offset);
    if (end !== null) track.sources.breakAfter(state.scored);
    if (over) for (const offset of track.ending.splice(0)) this.#offsets.done(offset);
    if (over && track.waiting.length === 0) {
      this.#tracks.delete(key);
      this.#remember(key, state.scored);
    } else {
      const window = track.sources.startAt(state.scored);
      this.#states.set(key, { kind: 'live', track: state, window, isLiveSource: track.isLiveSource });
    }
    this.#options.ready();
  }

  #remember(key: string, scored: number): void {
    this.#over.delete(key);
    this.#over.set(key, scored);
    this.#states.set(key, { kind: 'over', scored });
    if (this.#over.size > REMEMBERED) this.#forget(this.#over.keys().next().value!);
  }

  #forget(key: string): void {
    this.#over.delete(key);
    this.#states.set(key, null);
  }
}
