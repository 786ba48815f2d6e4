import { toCropRecord } from '../../src/cluster/crop-record.ts';
import { PixelEncoder } from '../../src/cluster/pixel-codec.ts';
import { faceKey } from '../../src/domain/track-key.ts';
import { RecordEncoder } from '../../src/records/avro.ts';
import type { FaceCropBatch } from '../../src/records/events.ts';
import { faceCrop } from '../infer/faces.ts';

const encoder = new RecordEncoder('FaceCropBatch');

/** A record of the crops topic as Kafka delivers it. */
export function cropMessage(batch: FaceCropBatch, key = faceKey(batch)): { key: Buffer; value: Buffer } {
  return { key: Buffer.from(key), value: encoder.encode(batch) };
}

/** A record of an ingest worker with `count` crops of one track. */
export function rawCrops(count = 2): FaceCropBatch {
  const crops = Array.from({ length: count }, (_, frame) => faceCrop({ frame, live: true }));
  return toCropRecord(faceCrop({ frame: 0, live: true }), 1, crops);
}

/** As `rawCrops`, with JPEG pixels. */
export function jpegCrops(count = 2): Promise<FaceCropBatch> {
  return new PixelEncoder({ encoding: 'jpeg', quality: 95 }).encode(rawCrops(count));
}

/** The record with these pixels in each of its crops. */
export function withPixels(batch: FaceCropBatch, pixels: Buffer): FaceCropBatch {
  return { ...batch, crops: batch.crops.map((crop) => ({ ...crop, pixels })) };
}
