import { CROP_BYTES, type FaceCrop } from '../domain/face.ts';
import type { FrameStamp } from '../domain/frame.ts';
import type { Crop, FaceCropBatch } from '../records/events.ts';

/** Most crops in one record, so that it stays below the brokers' usual limit of 1 MB. */
export const MAX_CROPS_PER_RECORD = 24;

/** The trackId of a record that belongs to no track: it tells that an epoch has begun. */
export const NO_TRACK = 0;

type Stream = Pick<FrameStamp, 'cameraId' | 'epoch' | 'clockSource' | 'interval'>;

/** One record of the crops topic, in raw pixels. */
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

function toCrop({ frame, captureTime, clockErrorMs, receivedAt, box, quality, pixels }: FaceCrop): Crop {
  const bytes = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return { frame, captureTime, clockErrorMs, receivedAt, box, quality, pixels: bytes };
}

/** The crops of a record in raw pixels. Throws where they are not what this version can read. */
export function fromCropRecord(batch: FaceCropBatch): FaceCrop[] {
  const { cameraId, epoch, trackId, clockSource, interval } = batch;
  if (batch.encoding !== 'RGB8') throw new Error(`pixels are ${batch.encoding}, not RGB8`);
  if (clockSource === 'unknown') throw new Error('captureTime is of a clock that this version does not know');
  return batch.crops.map(({ quality, ...crop }) => {
    if (crop.pixels.length !== CROP_BYTES)
      throw new Error(`a crop has ${crop.pixels.length} bytes of pixels, not ${CROP_BYTES}`);
    // Whatever made a newer ingest distrust the face, this version must not trust it.
    const unreliable = quality.unreliable === 'unknown' ? 'corrupt_video' : quality.unreliable;
    return { cameraId, epoch, trackId, clockSource, interval, ...crop, quality: { ...quality, unreliable } };
  });
}
