import { describe, expect, it } from 'vitest';
import { fromCropRecord, toCropRecord } from '../../src/cluster/crop-record.ts';
import { PixelDecoder, PixelEncoder } from '../../src/cluster/pixel-codec.ts';
import { CROP_SIZE } from '../../src/domain/face.ts';
import { RecordEncoder, recordType } from '../../src/records/avro.ts';
import type { FaceCropBatch } from '../../src/records/events.ts';
import { faceCrop } from '../infer/faces.ts';

/** A smooth picture, as faces are. */
function picture(frame: number) {
  const crop = faceCrop({ frame, live: true });
  crop.pixels.forEach((_, at) => {
    const x = Math.floor(at / 3) % CROP_SIZE;
    const y = Math.floor(at / 3 / CROP_SIZE);
    crop.pixels[at] = 128 + 100 * Math.sin((x + (at % 3) * 20) / 18) * Math.cos(y / 25 + frame);
  });
  return crop;
}

async function throughKafka(encoding: 'raw' | 'jpeg', quality: number) {
  const crops = [picture(3), picture(5)];
  const batch = await new PixelEncoder({ encoding, quality }).encode(toCropRecord(crops[0]!, 1, crops));
  const encoder = new RecordEncoder('FaceCropBatch');
  const bytes = encoder.encode(batch);
  const read = recordType('FaceCropBatch').fromBuffer(bytes.subarray(encoder.header.length)) as FaceCropBatch;
  return { crops, bytes: bytes.length, back: fromCropRecord(await new PixelDecoder().decode(read)) };
}

describe('crops on their way', () => {
  it('are the same afterwards when raw', async () => {
    const { crops, back } = await throughKafka('raw', 95);
    expect(back.map(({ pixels }) => Buffer.from(pixels))).toEqual(
      crops.map(({ pixels }) => Buffer.from(pixels)),
    );
    const float = (value: number) => Math.fround(value);
    expect(back[1]).toMatchObject({
      frame: 5,
      captureTime: crops[1]!.captureTime,
      clockSource: 'arrival',
      quality: { score: float(0.9), unreliable: null },
    });
  });

  it('are smaller and nearly the same as JPEG', async () => {
    const { crops, bytes, back } = await throughKafka('jpeg', 95);
    expect(bytes).toBeLessThan((2 * 37_632) / 4);
    for (const [index, { pixels }] of back.entries()) {
      expect(pixels.length).toBe(crops[index]!.pixels.length);
      const error = pixels.reduce((sum, value, at) => sum + Math.abs(value - crops[index]!.pixels[at]!), 0);
      expect(error / pixels.length).toBeLessThan(2);
    }
  });

  it('are refused where this version cannot read them', () => {
    const batch = toCropRecord(faceCrop({ frame: 1 }), 1, [faceCrop({ frame: 1 })]);
    expect(() => fromCropRecord({ ...batch, encoding: 'UNKNOWN' })).toThrow('UNKNOWN');
    expect(() => fromCropRecord({ ...batch, clockSource: 'unknown' })).toThrow('clock');
    const short = batch.crops.map((crop) => ({ ...crop, pixels: Buffer.alloc(7) }));
    expect(() => fromCropRecord({ ...batch, crops: short })).toThrow('7 bytes');
  });
});
