import type { FaceCrop, FrameFaces } from '../../domain/face.ts';
import type { FrameStamp, Micros } from '../../domain/frame.ts';
import { gapThreshold } from '../../domain/gap.ts';
import type { FaceCropBatch } from '../../records/events.ts';
import { MAX_CROPS_PER_RECORD, NO_TRACK, toCropRecord } from '../crop-record.ts';

export interface CropBatcherOptions {
  /** Crops in one record: inference scores one hop at a time, so a record can be scored as soon as it arrives. */
  readonly hop: number;
  /** The gap between two reliable crops that starts a new window, and with it a new hop. */
  readonly gapSeconds: number;
}

interface OpenTrack {
  /** Crops of the next record. */
  crops: FaceCrop[];
  /** When the first of `crops` was added (ms, monotonic clock). */
  firstAddedAt: number;
  /** Crops of the current hop, including those that are published already. */
  inHop: number;
  /** Capture time of the newest reliable crop. */
  lastReliable: Micros | null;
}

interface OpenEpoch {
  readonly stream: FrameStamp;
  readonly tracks: Map<number, OpenTrack>;
}

/**
 * Collects the crops of each track into records of one hop, cut where inference cuts its hops. The cut affects when a
 * score is published, never the score. A record marks the end of each track, in the track's own partition; a record in
 * every partition marks the start of an epoch, which ends earlier epochs even if their worker died.
 */
export class CropBatcher {
  readonly #hop: number;
  readonly #gapSeconds: number;
  /** By camera. */
  readonly #epochs = new Map<string, OpenEpoch>();

  constructor(options: CropBatcherOptions) {
    this.#hop = options.hop;
    this.#gapSeconds = options.gapSeconds;
  }

  /** Adds one frame; returns the records that are complete. `now`: ms, monotonic clock. */
  push(faces: FrameFaces, now: number): FaceCropBatch[] {
    const records: FaceCropBatch[] = [];
    let open = this.#epochs.get(faces.cameraId);
    if (open?.stream.epoch !== faces.epoch) {
      if (open) records.push(...this.endEpoch(faces.cameraId));
      open = { stream: faces, tracks: new Map() };
      this.#epochs.set(faces.cameraId, open);
      records.push(toCropRecord(faces, NO_TRACK, []));
    }
    for (const crop of faces.crops) records.push(...this.#add(open, crop, now));
    for (const trackId of faces.endedTracks) {
      const track = open.tracks.get(trackId);
      open.tracks.delete(trackId);
      if (track) records.push(toCropRecord(open.stream, trackId, track.crops, 'track_ended'));
    }
    return records;
  }

  /** The record that marks the start of the camera's epoch, once more: it is not over. */
  announce(cameraId: string): FaceCropBatch[] {
    const open = this.#epochs.get(cameraId);
    return open ? [toCropRecord(open.stream, NO_TRACK, [])] : [];
  }

  /** Ends the camera's epoch; returns the last record of each of its tracks. */
  endEpoch(cameraId: string): FaceCropBatch[] {
    const open = this.#epochs.get(cameraId);
    this.#epochs.delete(cameraId);
    if (!open) return [];
    return [...open.tracks].map(([trackId, track]) =>
      toCropRecord(open.stream, trackId, track.crops, 'epoch_ended'),
    );
  }

  /** As `endEpoch`, without the crops that are not in a record yet; `dropped`: their number. */
  discardEpoch(cameraId: string): { readonly records: FaceCropBatch[]; readonly dropped: number } {
    let dropped = 0;
    for (const track of this.#epochs.get(cameraId)?.tracks.values() ?? []) {
      dropped += track.crops.length;
      track.crops = [];
    }
    return { records: this.endEpoch(cameraId), dropped };
  }

  /** Returns the incomplete records whose first crop was added before `since` (ms). */
  flushOlderThan(since: number): FaceCropBatch[] {
    const records: FaceCropBatch[] = [];
    for (const { stream, tracks } of this.#epochs.values())
      for (const [trackId, track] of tracks)
        if (track.crops.length > 0 && track.firstAddedAt < since)
          records.push(this.#flush(stream, trackId, track));
    return records;
  }

  #add({ stream, tracks }: OpenEpoch, crop: FaceCrop, now: number): FaceCropBatch[] {
    const records: FaceCropBatch[] = [];
    let track = tracks.get(crop.trackId);
    if (!track) {
      track = { crops: [], firstAddedAt: now, inHop: 0, lastReliable: null };
      tracks.set(crop.trackId, track);
    }
    const gap = gapThreshold(this.#gapSeconds, crop.interval);
    if (track.lastReliable !== null && crop.captureTime - track.lastReliable > gap) {
      if (track.crops.length > 0) records.push(this.#flush(stream, crop.trackId, track));
      track.lastReliable = null;
      track.inHop = 0;
    }
    if (track.crops.length === 0) track.firstAddedAt = now;
    track.crops.push(crop);
    if (crop.quality.unreliable === null) track.lastReliable = crop.captureTime;
    track.inHop += 1;
    const hopEnds = track.inHop === this.#hop;
    if (hopEnds) track.inHop = 0;
    if (hopEnds || track.crops.length >= MAX_CROPS_PER_RECORD)
      records.push(this.#flush(stream, crop.trackId, track));
    return records;
  }

  #flush(stream: FrameStamp, trackId: number, track: OpenTrack): FaceCropBatch {
    const { crops } = track;
    track.crops = [];
    return toCropRecord(stream, trackId, crops);
  }
}
