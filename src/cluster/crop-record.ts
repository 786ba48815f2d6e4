import { CROP_BYTES, type FaceCrop } from '../domain/face.ts';
import type { FrameStamp } from '../domain/frame.ts';
import { PoisonError } from '../records/decode.ts';
import type { Crop, FaceCropBatch } from '../records/events.ts';

/** Keeps a record of raw crops (37 kB each) below the brokers' default `message.max.bytes` of 1 MB. */
export const MAX_CROPS_PER_RECORD = 24;

/** The trackId of a record without crops that marks the start of an epoch. Tracks are numbered from 1. */
export const NO_TRACK = 0;

type Stream = Pick<FrameStamp, 'cameraId' | 'epoch' | 'clockSource' | 'interval'>;

/** A record of the crops topic, RGB8. `end`: the last record of the track, and why it ended. */
export function toCropRecord(
  { cameraId, epoch, clockSource, interval }: Stream,
  trackId: number,
  crops: readonly FaceCrop[],
  end: 'track_ended' | 'epoch_ended' | null = null,
): FaceCropBatch {
  return {
    cameraId,
    epoch,
    trackId,
    clockSource,
    interval,
    encoding: 'RGB8',
    crops: crops.map(toCrop),
    ended: end !== null,
    epochEnded: end === 'epoch_ended',
  };
}

function toCrop({
  frame,
  captureTime,
  clockErrorMs,
  receivedAt,
  box,
  quality,
  zones,
  pixels,
}: FaceCrop): Crop {
  const bytes = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return { frame, captureTime, clockErrorMs, receivedAt, box, quality, zones, pixels: bytes };
}

/** The crops of a record, RGB8. Throws PoisonError if this version cannot read them: encoding, clock source or size. */
export function fromCropRecord(batch: FaceCropBatch): FaceCrop[] {
  const { cameraId, epoch, trackId, clockSource, interval } = batch;
  if (batch.encoding !== 'RGB8') throw new PoisonError('corrupt', `pixels are ${batch.encoding}, not RGB8`);
  if (clockSource === 'unknown') throw new PoisonError('corrupt', 'clockSource is unknown to this version');
  return batch.crops.map(({ quality, ...crop }) => {
    if (crop.pixels.length !== CROP_BYTES)
      throw new PoisonError('corrupt', `a crop has ${crop.pixels.length} bytes of pixels, not ${CROP_BYTES}`);
    // A newer ingest worker found the face unreliable for a reason that this version has no name for.
    const unreliable = quality.unreliable === 'unknown' ? 'corrupt_video' : quality.unreliable;
    return { cameraId, epoch, trackId, clockSource, interval, ...crop, quality: { ...quality, unreliable } };
  });
}
