import { describe, expect, test } from 'vitest';
import { type Similarity, squareToFrame } from '../../src/detect/geometry.ts';
import { Sampler } from '../../src/detect/sampler.ts';
import type { I420Image } from '../../src/domain/frame.ts';
import { ASTRONAUT, type Colours, decode, decodeRgb, grey } from './pictures.ts';

const sample = (image: I420Image, toFrame: Similarity, width: number, supersampled = false) => {
  const out = new Uint8Array(width * width * 3);
  new Sampler(supersampled).sample(image, toFrame, width, width, out);
  return out;
};

/** Mean absolute difference per channel value, 0…255. */
const meanError = (a: Uint8Array, b: Uint8Array) =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;

describe('colours match GStreamer’s conversion', () => {
  test.each<Colours>(['bt601', 'bt709', '1:4:16:4'])('%s', (colours) => {
    const [image] = decode(ASTRONAUT, 256, 256, 1, colours);
    const ours = sample(image!, { a: 1, b: 0, tx: 0, ty: 0 }, 256);
    const theirs = decodeRgb(ASTRONAUT, 256, 256);
    const error = meanError(ours, theirs);
    // The error of chroma subsampling.
    expect(error).toBeLessThan(2.2);
    const other = image!.matrix === 'bt709' ? 'bt601' : 'bt709';
    for (const wrong of [{ matrix: other }, { fullRange: !image!.fullRange }] as const)
      expect(
        meanError(sample({ ...image!, ...wrong }, { a: 1, b: 0, tx: 0, ty: 0 }, 256), theirs),
      ).toBeGreaterThan(1.3 * error);
  });
});

test.each([1.5, 2, 3.2, 5.7])(
  'downscaling by %f averages the covered area, more exactly when supersampled',
  (zoom) => {
    const [image] = decode(ASTRONAUT, 512, 512);
    const size = Math.floor(512 / zoom / 2) * 2;
    const full = sample(image!, { a: 1, b: 0, tx: 0, ty: 0 }, 512);
    const exact = areaMean(full, 512, size, zoom);
    const map = { a: zoom, b: 0, tx: 0, ty: 0 };
    const [plain, supersampled] = [sample(image!, map, size), sample(image!, map, size, true)];
    // Nearest-neighbour sampling differs by 7 to 11 levels.
    expect(meanError(plain, exact)).toBeLessThan(5.5);
    expect(meanError(supersampled, exact)).toBeLessThan(1.9);
  },
);

test('a pattern above the Nyquist frequency becomes grey, not moiré', () => {
  const image = grey(512, 512);
  image.y.forEach((_, i) => {
    image.y[i] = (i ^ Math.floor(i / 512)) & 1 ? 235 : 16;
  });
  for (const zoom of [2, 3, 4.3, 6]) {
    const out = sample(
      image,
      squareToFrame(64, { centre: { x: 256, y: 256 }, side: 64 * zoom, roll: 0.3 }),
      64,
    );
    const deviation = out.reduce((max, value) => Math.max(max, Math.abs(value - 127)), 0);
    expect(deviation).toBeLessThan(30);
  }
});

test('a roll of 90° rotates the picture', () => {
  const [image] = decode(ASTRONAUT, 256, 256);
  const upright = sample(image!, { a: 1, b: 0, tx: 0, ty: 0 }, 256);
  const rotated = sample(
    image!,
    squareToFrame(256, { centre: { x: 128, y: 128 }, side: 256, roll: Math.PI / 2 }),
    256,
  );
  // Pixel (x, y) of the rotated picture shows (256 − y, x) of the frame. Green only: chroma siting is asymmetric.
  let error = 0;
  for (let y = 0; y < 256; y++)
    for (let x = 0; x < 256; x++)
      error += Math.abs(rotated[3 * (y * 256 + x) + 1]! - upright[3 * (x * 256 + 255 - y) + 1]!);
  expect(error / 65_536).toBeLessThan(0.5);
});

test.each([
  [4096, 8],
  [8, 4096],
  [2048, 2],
])('a frame of %i×%i, with room for few blocks, keeps its brightness', (width, height) => {
  const image = grey(width, height, 126);
  const zoom = Math.max(width, height) / 64;
  const out = sample(image, { a: zoom, b: 0, tx: 0, ty: (height - 64 * zoom) / 2 }, 64);
  expect(out.every((value) => value === 128)).toBe(true);
});

test('samples outside the frame clamp to its edge', () => {
  const image = grey(64, 64, 126);
  for (let y = 0; y < 64; y++) image.y[y * 64] = 235;
  const out = sample(image, { a: 1, b: 0, tx: -32, ty: -32 }, 128);
  expect(out[0]).toBe(255);
  expect(out[3 * (64 * 128 + 127)]).toBe(128);
});

/** Exact area averaging, partly covered source pixels included: (size, size, 3) → (out, out, 3). */
function areaMean(pixels: Uint8Array, size: number, out: number, zoom: number): Uint8Array {
  const result = new Uint8Array(out * out * 3);
  const coverage = (i: number) => {
    const weights: [number, number][] = [];
    for (let k = Math.floor(i * zoom); k < Math.min(size, (i + 1) * zoom); k++)
      weights.push([k, Math.min(k + 1, (i + 1) * zoom) - Math.max(k, i * zoom)]);
    return weights;
  };
  for (let y = 0; y < out; y++)
    for (let x = 0; x < out; x++)
      for (let c = 0; c < 3; c++) {
        let [sum, total] = [0, 0];
        for (const [row, wy] of coverage(y))
          for (const [column, wx] of coverage(x)) {
            sum += wx * wy * pixels[3 * (row * size + column) + c]!;
            total += wx * wy;
          }
        result[3 * (y * out + x) + c] = Math.round(sum / total);
      }
  return result;
}
