import { describe, expect, it } from 'vitest';
import { fromCropRecord, toCropRecord } from '../../src/cluster/crop-record.ts';
import { PixelDecoder, PixelEncoder } from '../../src/cluster/pixel-codec.ts';
import { CROP_SIZE } from '../../src/domain/face.ts';
import { RecordEncoder, recordType } from '../../src/records/avro.ts';
import type { FaceCropBatch } from '../../src/records/events.ts';
import { faceCrop } from '../infer/faces.ts';

/** A crop with a smooth gradient: faces have few high frequencies, too. */
function gradientCrop(frame: number) {
  const crop = faceCrop({ frame, live: true });
  crop.pixels.forEach((_, index) => {
    const x = Math.floor(index / 3) % CROP_SIZE;
    const y = Math.floor(index / 3 / CROP_SIZE);
    crop.pixels[index] = 128 + 100 * Math.sin((x + (index % 3) * 20) / 18) * Math.cos(y / 25 + frame);
  });
  return crop;
}

async function roundTrip(encoding: 'raw' | 'jpeg', quality: number) {
  const crops = [gradientCrop(3), gradientCrop(5)];
  const batch = await new PixelEncoder({ encoding, quality }).encode(toCropRecord(crops[0]!, 1, crops));
  const encoder = new RecordEncoder('FaceCropBatch');
  const bytes = encoder.encode(batch);
  const read = recordType('FaceCropBatch').fromBuffer(bytes.subarray(encoder.header.length)) as FaceCropBatch;
  return { crops, bytes: bytes.length, decoded: fromCropRecord(await new PixelDecoder().decode(read)) };
}

describe('a crop record', () => {
  it('keeps raw pixels unchanged', async () => {
    const { crops, decoded } = await roundTrip('raw', 95);
    expect(decoded.map(({ pixels }) => Buffer.from(pixels))).toEqual(
      crops.map(({ pixels }) => Buffer.from(pixels)),
    );
    const float = (value: number) => Math.fround(value);
    expect(decoded[1]).toMatchObject({
      frame: 5,
      captureTime: crops[1]!.captureTime,
      clockSource: 'arrival',
      quality: { score: float(0.9), unreliable: null },
    });
  });

  it('keeps JPEG pixels nearly unchanged in a quarter of the bytes', async () => {
    const { crops, bytes, decoded } = await roundTrip('jpeg', 95);
    expect(bytes).toBeLessThan((2 * 37_632) / 4);
    for (const [index, { pixels }] of decoded.entries()) {
      expect(pixels.length).toBe(crops[index]!.pixels.length);
      const error = pixels.reduce((sum, value, i) => sum + Math.abs(value - crops[index]!.pixels[i]!), 0);
      expect(error / pixels.length).toBeLessThan(2);
    }
  });

  it('is rejected if this version cannot read it', () => {
    const batch = toCropRecord(faceCrop({ frame: 1 }), 1, [faceCrop({ frame: 1 })]);
    expect(() => fromCropRecord({ ...batch, encoding: 'UNKNOWN' })).toThrow('UNKNOWN');
    expect(() => fromCropRecord({ ...batch, clockSource: 'unknown' })).toThrow('clock');
    const short = batch.crops.map((crop) => ({ ...crop, pixels: Buffer.alloc(7) }));
    expect(() => fromCropRecord({ ...batch, crops: short })).toThrow('7 bytes');
  });
});
