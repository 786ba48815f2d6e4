import type { FaceCrop, FrameFaces } from '../../domain/face.ts';
import type { FrameStamp, Micros } from '../../domain/frame.ts';
import { gapThreshold } from '../../domain/gap.ts';
import type { FaceCropBatch } from '../../records/events.ts';
import { MAX_CROPS_PER_RECORD, NO_TRACK, toCropRecord } from '../crop-record.ts';

export interface BatcherOptions {
  /** Crops in one record: the hop, so that a record that arrives can be scored at once. */
  readonly hop: number;
  /** The hole between two reliable crops that starts a new window, and with it a new hop. */
  readonly gapSeconds: number;
}

interface OpenTrack {
  crops: FaceCrop[];
  /** When the first of them was taken, on the host's monotonic clock (ms). */
  since: number;
  /** Crops of the present hop, those that were handed on early included. */
  inHop: number;
  reliable: Micros | null;
}

interface OpenEpoch {
  readonly stream: FrameStamp;
  readonly tracks: Map<number, OpenTrack>;
}

/**
 * Gathers the crops of each track into records as large as a hop, cut where inference cuts its hops. How they are cut
 * changes when a score comes, never the score. Every end is told: of a track in the track's partition, of earlier
 * epochs, which may belong to a worker that died, in all of them.
 */
export class CropBatcher {
  readonly #hop: number;
  readonly #gapSeconds: number;
  /** The open epoch of each camera. */
  readonly #epochs = new Map<string, OpenEpoch>();

  constructor(options: BatcherOptions) {
    this.#hop = options.hop;
    this.#gapSeconds = options.gapSeconds;
  }

  /** Takes one frame; gives the records that are now complete. `now` in ms. */
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

  /** The camera's epoch is over, and every track of it. */
  endEpoch(cameraId: string): FaceCropBatch[] {
    const open = this.#epochs.get(cameraId);
    this.#epochs.delete(cameraId);
    if (!open) return [];
    return [...open.tracks].map(([trackId, track]) =>
      toCropRecord(open.stream, trackId, track.crops, 'epoch_ended'),
    );
  }

  /** Crops that have waited since before `since` (ms) for the rest of their hop. */
  flushOlderThan(since: number): FaceCropBatch[] {
    const records: FaceCropBatch[] = [];
    for (const { stream, tracks } of this.#epochs.values())
      for (const [trackId, track] of tracks)
        if (track.crops.length > 0 && track.since < since) records.push(this.#flush(stream, trackId, track));
    return records;
  }

  #add({ stream, tracks }: OpenEpoch, crop: FaceCrop, now: number): FaceCropBatch[] {
    const records: FaceCropBatch[] = [];
    let track = tracks.get(crop.trackId);
    if (!track) {
      track = { crops: [], since: now, inHop: 0, reliable: null };
      tracks.set(crop.trackId, track);
    }
    const hole = gapThreshold(this.#gapSeconds, crop.interval);
    if (track.reliable !== null && crop.captureTime - track.reliable > hole) {
      if (track.crops.length > 0) records.push(this.#flush(stream, crop.trackId, track));
      track.reliable = null;
      track.inHop = 0;
    }
    if (track.crops.length === 0) track.since = now;
    track.crops.push(crop);
    if (crop.quality.unreliable === null) track.reliable = crop.captureTime;
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
