import { cameraId as cameraIdSchema } from '../camera/options.ts';
import { MAX_EPOCH } from '../domain/epoch.ts';
import { CROP_BYTES } from '../domain/face.ts';
import { faceKey } from '../domain/track-key.ts';
import { PoisonError } from '../records/decode.ts';
import type { Crop, FaceCropBatch } from '../records/events.ts';
import { MAX_CROPS_PER_RECORD, NO_TRACK } from './crop-record.ts';
import { checkJpegCrop, MAX_JPEG_BYTES } from './jpeg-crop.ts';

/** Larger values of the crops topic are not decoded: no record of an ingest worker has more bytes. */
export const MAX_CROP_RECORD_BYTES = MAX_CROPS_PER_RECORD * MAX_JPEG_BYTES;

/** Camera sources have one frame an hour or more. */
const MAX_INTERVAL = 3_600_000_000;
const MAX_TRACK_ID = 2 ** 31 - 1;
/** A camera has at most 32. Their ids have the form of camera ids. */
const MAX_ZONES = 64;
/** Pixels; far beyond the largest frame. */
const MAX_COORDINATE = 1e6;

/**
 * Throws PoisonError unless a record of the crops topic has what an ingest worker writes: Avro checks types only, and
 * every value is used in a key, a clock, a filter or an event. `key`: the record's key in Kafka.
 */
export function checkCropRecord(batch: FaceCropBatch, key: string): void {
  checkStream(batch);
  // The key chooses the partition: a track in two partitions would be scored and published twice.
  require(key === faceKey(batch), 'the key is not cameraId/trackId of the record');
  const { crops, trackId, encoding } = batch;
  require(trackId !== NO_TRACK || crops.length === 0, 'it has crops without a track');
  require(crops.length <=
    MAX_CROPS_PER_RECORD, `it has ${crops.length} crops, more than ${MAX_CROPS_PER_RECORD}`);
  let previous: Crop | null = null;
  for (const crop of crops) {
    checkCrop(crop, previous);
    if (encoding === 'JPEG') checkJpegCrop(crop.pixels);
    else
      require(crop.pixels.length ===
        CROP_BYTES, `a crop has ${crop.pixels.length} bytes of pixels, not ${CROP_BYTES}`);
    previous = crop;
  }
}

function checkStream(batch: FaceCropBatch): void {
  const { cameraId, epoch, trackId, clockSource, interval, encoding } = batch;
  require(cameraIdSchema.safeParse(cameraId).success, 'cameraId is not valid');
  require(encoding !== 'UNKNOWN', 'the encoding of its pixels is unknown to this version');
  require(clockSource !== 'unknown', 'clockSource is unknown to this version');
  require(isCount(epoch) && epoch <= MAX_EPOCH, `epoch ${epoch} is out of range`);
  require(isCount(trackId) && trackId <= MAX_TRACK_ID, `trackId ${trackId} is out of range`);
  require(isCount(interval) &&
    interval > 0 &&
    interval <= MAX_INTERVAL, `interval ${interval} is out of range`);
}

function checkCrop(crop: Crop, previous: Crop | null): void {
  const { frame, captureTime, receivedAt, clockErrorMs, box, quality, zones } = crop;
  require([frame, captureTime, receivedAt].every(isCount), 'a frame number or a time is negative');
  if (previous !== null) {
    require(frame > previous.frame, 'its frames are not in order');
    require(captureTime >= previous.captureTime, 'its capture times are not in order');
  }
  require(clockErrorMs === null || Number.isFinite(clockErrorMs), 'clockErrorMs is not a number');
  const { x, y, w, h } = box;
  require([x, y, w, h].every((value) => Math.abs(value) <= MAX_COORDINATE) &&
    w > 0 &&
    h > 0, 'the box of a face is not a rectangle');
  require(zones.length <= MAX_ZONES &&
    zones.every((zone) => cameraIdSchema.safeParse(zone).success), 'its zones are not valid');
  const { score, sharpness, detection, faceHeight, yaw, pitch, roll } = quality;
  require([score, sharpness, detection].every((value) => value >= 0 && value <= 1) &&
    faceHeight >= 0 &&
    faceHeight <= MAX_COORDINATE &&
    [yaw, pitch, roll].every((value) => Math.abs(value) <= 360), 'a quality value is out of range');
}

/** An integer from 0. */
function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Comparisons with NaN are false, so a condition that holds also says that its values are numbers. */
function require(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new PoisonError('corrupt', `not a valid crop record: ${otherwise}`);
}
