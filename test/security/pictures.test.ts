import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { CROP_BYTES, CROP_SIZE } from '../../src/domain/face.ts';
import { picturesIn } from './pictures.ts';

/** Waves with a little noise, as compressible as a face. */
const noise = createHash('shake256', { outputLength: CROP_BYTES }).update('crop').digest();
const crop = Buffer.from(
  noise.map((byte, i) => 120 + 90 * Math.sin(i / 90) * Math.cos(i / 4_000) + (byte & 3)),
);
const image = () => sharp(crop, { raw: { width: CROP_SIZE, height: CROP_SIZE, channels: 3 } });
const within = (bytes: Buffer | string) =>
  Buffer.concat([Buffer.from('{"log":'), Buffer.from(bytes as Buffer)]);

test.each([
  ['JPEG', () => image().jpeg().toBuffer()],
  ['JPEG', () => image().jpeg({ mozjpeg: true, quality: 30 }).toBuffer()],
  ['PNG', () => image().png().toBuffer()],
  ['PNG', async () => (await image().png().toBuffer()).toString('base64')],
  ['JPEG', async () => (await image().jpeg().toBuffer()).toString('base64')],
  ['WebP', () => image().webp().toBuffer()],
  ['raw crop', async () => crop.subarray(5_000, 20_000)],
  ['raw crop', async () => crop.subarray(7, 9_000).toString('base64')],
  ['raw crop', async () => crop.toString('hex')],
])('finds %s within other bytes', async (kind, bytes) => {
  expect(picturesIn(within(await bytes()), [crop])).toEqual([kind]);
});

test('finds nothing in other bytes', () => {
  expect(picturesIn(noise, [crop])).toEqual([]);
});
