import { spawnSync } from 'node:child_process';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { checkCropRecord } from '../../src/cluster/crop-record-check.ts';
import { CROP_SIZE } from '../../src/domain/face.ts';
import { faceKey } from '../../src/domain/track-key.ts';
import { recordType, singleObjectHeader } from '../../src/records/avro.ts';
import type { FaceCropBatch } from '../../src/records/events.ts';
import { cropMessage, jpegCrops, rawCrops, withPixels } from './crop-records.ts';

const MEGABYTE = 1024 * 1024;

/** Decodes a record in a process of its own. */
function decodeInChild({ key, value }: { key: Buffer; value: Buffer }): {
  reason: string | null;
  growth: number;
} {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['test/cluster/decode-in-child.ts', key.toString()],
    { input: value, encoding: 'utf8', timeout: 120_000 },
  );
  if (!stdout) throw new Error(`the process died: ${stderr}`);
  return JSON.parse(stdout);
}

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: 'grey' } });

/** A JPEG whose frame header names another size than the one it was encoded with. */
async function jpegThatClaims(width: number, height: number): Promise<Buffer> {
  const jpeg = await picture(CROP_SIZE, CROP_SIZE).jpeg({ chromaSubsampling: '4:4:4' }).toBuffer();
  const frame = jpeg.indexOf(Buffer.of(0xff, 0xc0));
  jpeg.writeUInt16BE(height, frame + 5);
  jpeg.writeUInt16BE(width, frame + 7);
  return jpeg;
}

const good = await jpegCrops(4);
const jpeg = good.crops[0]!.pixels;
const svg = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" width="16000" height="16000"><rect width="1" height="1"/></svg>',
);
const PIXELS: Record<string, Buffer> = {
  'an SVG of 120 bytes that is 16000×16000': svg,
  'a PNG of 112×112': await picture(CROP_SIZE, CROP_SIZE).png().toBuffer(),
  'a WebP': await picture(CROP_SIZE, CROP_SIZE).webp().toBuffer(),
  'a TIFF of 112×112': await picture(CROP_SIZE, CROP_SIZE).tiff().toBuffer(),
  'a GIF of 112×112': await picture(CROP_SIZE, CROP_SIZE).gif().toBuffer(),
  'a JPEG of 6000×6000': await picture(6000, 6000).jpeg().toBuffer(),
  'a JPEG of 112×112 that claims 65500×65500': await jpegThatClaims(65_500, 65_500),
  'a JPEG of 113×112': await jpegThatClaims(113, 112),
  'a grey JPEG': await picture(CROP_SIZE, CROP_SIZE).greyscale().toColourspace('b-w').jpeg().toBuffer(),
  'a CMYK JPEG': await picture(CROP_SIZE, CROP_SIZE).toColourspace('cmyk').jpeg().toBuffer(),
  'a progressive JPEG': await picture(CROP_SIZE, CROP_SIZE).jpeg({ progressive: true }).toBuffer(),
  'a JPEG with another one behind it': Buffer.concat([jpeg, jpeg]),
  'a JPEG with an SVG behind it': Buffer.concat([jpeg, svg]),
  'a JPEG with a second scan': Buffer.concat([
    jpeg.subarray(0, -2),
    jpeg.subarray(jpeg.indexOf(Buffer.of(0xff, 0xda))),
  ]),
  'a JPEG with a second frame header': (() => {
    const frame = jpeg.indexOf(Buffer.of(0xff, 0xc0));
    return Buffer.concat([jpeg.subarray(0, frame + 19), jpeg.subarray(frame)]);
  })(),
  'a JPEG that ends within its scan': jpeg.subarray(0, -100),
  'a JPEG that ends within its header': jpeg.subarray(0, 30),
  'a JPEG of 80 kB for 112×112': Buffer.concat([jpeg.subarray(0, 2), ...comments(80), jpeg.subarray(2)]),
  'no bytes': Buffer.alloc(0),
  'raw pixels': Buffer.alloc(CROP_SIZE * CROP_SIZE * 3),
};

/** Comment segments of a JPEG, 1 kB each. */
function comments(count: number): Buffer[] {
  return Array.from({ length: count }, () =>
    Buffer.concat([Buffer.of(0xff, 0xfe, 0x04, 0x00), Buffer.alloc(1022)]),
  );
}

describe('a crop record with hostile pixels', () => {
  it.each(Object.keys(PIXELS))('is rejected before decoding: %s', (name) => {
    const batch = withPixels(good, PIXELS[name]!);
    expect(() => checkCropRecord(batch, faceKey(batch))).toThrowError(
      expect.objectContaining({ code: 'MESSAGE_UNREADABLE', reason: 'corrupt' }),
    );
  });

  it('takes no memory: four SVGs of 120 bytes took 3.9 GB', () => {
    const { reason, growth } = decodeInChild(cropMessage(withPixels(good, svg)));
    expect(reason).toMatch(/^MESSAGE_UNREADABLE: .*is no JPEG/);
    expect(growth).toBeLessThan(150 * MEGABYTE);
  }, 120_000);

  it('takes no memory: a JPEG header of 65500×65500', () => {
    const { reason, growth } = decodeInChild(
      cropMessage(withPixels(good, PIXELS['a JPEG of 112×112 that claims 65500×65500']!)),
    );
    expect(reason).toMatch(/^MESSAGE_UNREADABLE: .*65500×65500/);
    expect(growth).toBeLessThan(150 * MEGABYTE);
  }, 120_000);

  it('is decoded if it is what an ingest worker writes', () => {
    const { reason, growth } = decodeInChild(cropMessage(good));
    expect(reason).toBeNull();
    expect(growth).toBeLessThan(150 * MEGABYTE);
  }, 120_000);
});

/** Changes one value of a record, or of its first crop. */
const VALUES: Record<string, (batch: FaceCropBatch) => FaceCropBatch> = {
  'a camera id with a slash': (batch) => ({ ...batch, cameraId: 'cam/5' }),
  'an empty camera id': (batch) => ({ ...batch, cameraId: '' }),
  'a camera id of 800 kB': (batch) => ({ ...batch, cameraId: 'a'.repeat(800_000) }),
  'a negative epoch': (batch) => ({ ...batch, epoch: -1 }),
  'an epoch of the far future': (batch) => ({ ...batch, epoch: 2 ** 44 + 1 }),
  'an epoch of 2^53 - 1': (batch) => ({ ...batch, epoch: Number.MAX_SAFE_INTEGER }),
  'a negative track': (batch) => ({ ...batch, trackId: -7 }),
  'a track beyond 32 bits, which avsc reads': (batch) => ({ ...batch, trackId: 2 ** 40 }),
  'crops without a track': (batch) => ({ ...batch, trackId: 0 }),
  'an interval of 0': (batch) => ({ ...batch, interval: 0 }),
  'a negative interval': (batch) => ({ ...batch, interval: -40_000 }),
  'an interval of years': (batch) => ({ ...batch, interval: 1e15 }),
  'an unknown encoding': (batch) => ({ ...batch, encoding: 'UNKNOWN' }),
  'an unknown clock': (batch) => ({ ...batch, clockSource: 'unknown' }),
  'more crops than a record has': (batch) => ({ ...batch, crops: rawCrops(25).crops }),
  'frames that go backwards': (batch) => ({ ...batch, crops: batch.crops.toReversed() }),
  'a repeated frame': (batch) => ({ ...batch, crops: [batch.crops[0]!, batch.crops[0]!] }),
  'capture times that go backwards': withCrop({ captureTime: 10_000_000 }),
  'a negative frame': withCrop({ frame: -1 }),
  'a negative capture time': withCrop({ captureTime: -5 }),
  'a negative time of arrival': withCrop({ receivedAt: -5 }),
  'a clock error of NaN': withCrop({ clockErrorMs: Number.NaN }),
  'a box of NaN': withCrop({ box: { x: Number.NaN, y: 0, w: 1, h: 1 } }),
  'a box of infinite width': withCrop({ box: { x: 0, y: 0, w: Number.POSITIVE_INFINITY, h: 1 } }),
  'a box without height': withCrop({ box: { x: 0, y: 0, w: 1, h: 0 } }),
  'a box of negative width': withCrop({ box: { x: 0, y: 0, w: -1, h: 1 } }),
  ...Object.fromEntries(
    (['score', 'faceHeight', 'sharpness', 'yaw', 'pitch', 'roll', 'detection'] as const).flatMap((field) =>
      [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e30].map((value) => [
        `${field} of ${value}`,
        (batch: FaceCropBatch) =>
          withCrop({ quality: { ...batch.crops[0]!.quality, [field]: value } })(batch),
      ]),
    ),
  ),
  'a zone of 800 kB': withCrop({ zones: ['z'.repeat(800_000)] }),
  '10,000 zones': withCrop({ zones: Array(10_000).fill('door') }),
  'pixels of another size': withCrop({ pixels: Buffer.alloc(7) }),
  'pixels of 800 kB': withCrop({ pixels: Buffer.alloc(800_000) }),
};

function withCrop(change: Partial<FaceCropBatch['crops'][number]>) {
  return (batch: FaceCropBatch) => ({
    ...batch,
    crops: batch.crops.map((crop, index) => (index === 0 ? { ...crop, ...change } : crop)),
  });
}

describe('a crop record with hostile values', () => {
  it.each(Object.keys(VALUES))('is rejected: %s', (name) => {
    const batch = VALUES[name]!(rawCrops());
    expect(() => checkCropRecord(batch, faceKey(batch))).toThrowError(
      expect.objectContaining({ code: 'MESSAGE_UNREADABLE', reason: 'corrupt' }),
    );
  });

  it('is rejected if the key is not that of its track', () => {
    const batch = rawCrops();
    expect(() => checkCropRecord(batch, faceKey(batch))).not.toThrow();
    for (const key of ['', 'cam', 'cam/2', 'cam/1/1', 'x'.repeat(1_000_000)])
      expect(() => checkCropRecord(batch, key)).toThrow('key');
  });

  it('names no value of the record that could fill a log', () => {
    const batch = { ...rawCrops(), cameraId: 'a'.repeat(800_000) };
    try {
      checkCropRecord(batch, faceKey(batch));
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(200);
    }
  });
});

describe('a crop record with hostile Avro', () => {
  const type = recordType('FaceCropBatch');
  const header = singleObjectHeader(type);
  const { crops: _, ...stream } = rawCrops(0);
  const body = type.toBuffer({ ...stream, crops: [] });
  /** The record up to its array of crops; behind it come `ended` and `epochEnded`. */
  const upToCrops = body.subarray(0, -3);
  const crop = type.toBuffer(rawCrops(1)).subarray(upToCrops.length + 1, -3);
  const varint = (value: bigint) => {
    const bytes: number[] = [];
    for (let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)); ; rest >>= 7n) {
      if (rest < 128n) return Buffer.of(...bytes, Number(rest));
      bytes.push(Number(rest & 127n) | 128);
    }
  };
  const record = (...array: Buffer[]) => Buffer.concat([header, upToCrops, ...array, Buffer.of(0, 0, 0)]);
  const VALUES: Record<string, Buffer> = {
    'a count of 2^60': record(varint(2n ** 60n)),
    'a count of -2^60 with a size': record(varint(-(2n ** 60n)), varint(10n)),
    'a count of -2^63': record(varint(-(2n ** 63n)), varint(0n)),
    'a count of 200,000 crops in 200 kB': record(varint(200_000n), Buffer.alloc(200_000)),
    '100,000 blocks of one crop each, without pixels': record(
      ...Array.from({ length: 10_000 }, () =>
        Buffer.concat([varint(1n), crop.subarray(0, 10), Buffer.alloc(60)]),
      ),
    ),
    'a camera id of 2^60 bytes': Buffer.concat([header, varint(2n ** 60n), Buffer.from('cam')]),
    'a camera id of -5 bytes': Buffer.concat([header, varint(-5n), body.subarray(1)]),
    'pixels of 2^60 bytes': record(
      varint(1n),
      crop.subarray(0, crop.length - rawCrops(1).crops[0]!.pixels.length - 3),
      varint(2n ** 60n),
    ),
    'a number that never ends': Buffer.concat([header, Buffer.alloc(1_000, 0xff)]),
    'no value': Buffer.alloc(0),
    'the header alone': header,
  };

  it.each(Object.keys(VALUES))(
    'is rejected within its own size: %s',
    (name) => {
      const { reason, growth } = decodeInChild({ key: Buffer.from('cam/1'), value: VALUES[name]! });
      expect(reason).toMatch(/^MESSAGE_UNREADABLE/);
      expect(growth).toBeLessThan(150 * MEGABYTE);
    },
    120_000,
  );

  it('is rejected by its size before it is decoded', () => {
    const { reason, growth } = decodeInChild({
      key: Buffer.from('cam/1'),
      value: Buffer.concat([header, Buffer.alloc(50 * MEGABYTE)]),
    });
    expect(reason).toMatch(/more than a crop record has/);
    expect(growth).toBeLessThan(150 * MEGABYTE);
  }, 120_000);

  it('accepts what it should: a block with a negative count and its size', () => {
    const value = record(varint(-1n), varint(BigInt(crop.length)), crop);
    expect(decodeInChild({ key: Buffer.from('cam/1'), value }).reason).toBeNull();
  }, 120_000);
});
