import { describe, expect, test } from 'vitest';
import { type Similarity, squareToFrame } from '../../src/detect/geometry.ts';
import { Sampler } from '../../src/detect/sampler.ts';
import type { I420Image } from '../../src/domain/frame.ts';
import { ASTRONAUT, type Colours, decode, decodeRgb, grey } from './pictures.ts';

const draw = (image: I420Image, toFrame: Similarity, width: number, fine = false) => {
  const out = new Uint8Array(width * width * 3);
  new Sampler(fine).sample(image, toFrame, width, width, out);
  return out;
};

/** Mean of a picture's differences, per channel value. */
const meanError = (a: Uint8Array, b: Uint8Array) =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;

describe('colours are GStreamer’s', () => {
  test.each<Colours>(['bt601', 'bt709', '1:4:16:4'])('%s', (colours) => {
    const [image] = decode(ASTRONAUT, 256, 256, 1, colours);
    const ours = draw(image!, { a: 1, b: 0, tx: 0, ty: 0 }, 256);
    const theirs = decodeRgb(ASTRONAUT, 256, 256);
    const right = meanError(ours, theirs);
    // What chroma subsampling costs.
    expect(right).toBeLessThan(2.2);
    const other = image!.matrix === 'bt709' ? 'bt601' : 'bt709';
    for (const wrong of [{ matrix: other }, { fullRange: !image!.fullRange }] as const)
      expect(
        meanError(draw({ ...image!, ...wrong }, { a: 1, b: 0, tx: 0, ty: 0 }, 256), theirs),
      ).toBeGreaterThan(1.3 * right);
  });
});

test.each([1.5, 2, 3.2, 5.7])('shrinking by %f averages what it covers, the better if fine', (zoom) => {
  const [image] = decode(ASTRONAUT, 512, 512);
  const size = Math.floor(512 / zoom / 2) * 2;
  const full = draw(image!, { a: 1, b: 0, tx: 0, ty: 0 }, 512);
  const exact = areaMean(full, 512, size, zoom);
  const map = { a: zoom, b: 0, tx: 0, ty: 0 };
  const [coarse, fine] = [draw(image!, map, size), draw(image!, map, size, true)];
  // Skipping pixels instead costs 7 to 11 levels.
  expect(meanError(coarse, exact)).toBeLessThan(5.5);
  expect(meanError(fine, exact)).toBeLessThan(1.9);
});

test('a fine pattern that is too small to be seen becomes grey, not moiré', () => {
  const image = grey(512, 512);
  image.y.forEach((_, i) => {
    image.y[i] = (i ^ Math.floor(i / 512)) & 1 ? 235 : 16;
  });
  for (const zoom of [2, 3, 4.3, 6]) {
    const out = draw(image, squareToFrame(64, { centre: { x: 256, y: 256 }, side: 64 * zoom, roll: 0.3 }), 64);
    const spread = out.reduce((most, value) => Math.max(most, Math.abs(value - 127)), 0);
    expect(spread).toBeLessThan(30);
  }
});

test('a picture turned by a quarter is the same picture turned', () => {
  const [image] = decode(ASTRONAUT, 256, 256);
  const upright = draw(image!, { a: 1, b: 0, tx: 0, ty: 0 }, 256);
  const turned = draw(
    image!,
    squareToFrame(256, { centre: { x: 128, y: 128 }, side: 256, roll: Math.PI / 2 }),
    256,
  );
  // A point (x, y) of the turned picture shows (256 − y, x) of the frame; chroma's siting is not symmetric.
  let error = 0;
  for (let y = 0; y < 256; y++)
    for (let x = 0; x < 256; x++)
      error += Math.abs(turned[3 * (y * 256 + x) + 1]! - upright[3 * (x * 256 + 255 - y) + 1]!);
  expect(error / 65_536).toBeLessThan(0.5);
});

test.each([
  [4096, 8],
  [8, 4096],
  [2048, 2],
])('a frame of %i×%i, of which few blocks fit, keeps its brightness', (width, height) => {
  const image = grey(width, height, 126);
  const zoom = Math.max(width, height) / 64;
  const out = draw(image, { a: zoom, b: 0, tx: 0, ty: (height - 64 * zoom) / 2 }, 64);
  expect(out.every((value) => value === 128)).toBe(true);
});

test('beyond the frame its border repeats', () => {
  const image = grey(64, 64, 126);
  for (let y = 0; y < 64; y++) image.y[y * 64] = 235;
  const out = draw(image, { a: 1, b: 0, tx: -32, ty: -32 }, 128);
  expect(out[0]).toBe(255);
  expect(out[3 * (64 * 128 + 127)]).toBe(128);
});

/** Exact mean of the source pixels, with parts of them, that each pixel covers. */
function areaMean(pixels: Uint8Array, size: number, out: number, zoom: number): Uint8Array {
  const result = new Uint8Array(out * out * 3);
  const cover = (i: number) => {
    const weights: [number, number][] = [];
    for (let k = Math.floor(i * zoom); k < Math.min(size, (i + 1) * zoom); k++)
      weights.push([k, Math.min(k + 1, (i + 1) * zoom) - Math.max(k, i * zoom)]);
    return weights;
  };
  for (let y = 0; y < out; y++)
    for (let x = 0; x < out; x++)
      for (let c = 0; c < 3; c++) {
        let [sum, total] = [0, 0];
        for (const [row, wy] of cover(y))
          for (const [column, wx] of cover(x)) {
            sum += wx * wy * pixels[3 * (row * size + column) + c]!;
            total += wx * wy;
          }
        result[3 * (y * out + x) + c] = Math.round(sum / total);
      }
  return result;
}
