import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Plane } from '../../src/detect/area-averaging.ts';
import { type DownscaledPlane, downscale, type PlaneRect } from '../../src/detect/downscale.ts';

/** A plane of noise that starts `offset` bytes into its buffer and ends with it. */
function noise(width: number, height: number, offset: number, seed: number): Plane {
  const stride = 4 * Math.ceil(width / 4);
  const pixels = new Uint8Array(offset + stride * height).subarray(offset);
  let state = seed;
  for (let i = 0; i < pixels.length; i++) {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    pixels[i] = state >> 16;
  }
  return { pixels, stride, width, height };
}

function expectMeans(plane: Plane, { pixels, stride, width, height, step, x, y }: DownscaledPlane): void {
  expect(pixels.length).toBe(width * height);
  expect(x + width * step).toBeLessThanOrEqual(plane.width);
  expect(y + height * step).toBeLessThanOrEqual(plane.height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      let sum = 0;
      let count = 0;
      for (let i = 0; i < step ** 2; i++) {
        const down = Math.floor(i / step);
        // From step 4 on only the middle two of every four rows are averaged.
        if (step > 2 && down % 4 !== 1 && down % 4 !== 2) continue;
        sum += plane.pixels[(y + row * step + down) * plane.stride + x + column * step + (i % step)]!;
        count++;
      }
      // Each halving rounds by up to 0.5.
      expect(Math.abs(pixels[row * stride + column]! - sum / count)).toBeLessThanOrEqual(step > 4 ? 1 : 0.5);
    }
}

const plane = fc
  .record({
    width: fc.integer({ min: 24, max: 90 }),
    height: fc.integer({ min: 16, max: 70 }),
    offset: fc.integer({ min: 0, max: 7 }),
    seed: fc.nat(),
  })
  .map(({ width, height, offset, seed }) => noise(width, height, offset, seed));
const rect = fc
  .tuple(...Array.from({ length: 4 }, () => fc.double({ min: -50, max: 140, noNaN: true })))
  .map(([a, b, c, d]): PlaneRect => {
    const [left, right] = [Math.min(a!, b!), Math.max(a!, b!)];
    return { left, right, top: Math.min(c!, d!), bottom: Math.max(c!, d!) };
  });
const step = fc.constantFrom(2, 4, 8);

test('each pixel is the mean of its block, at any memory alignment of the plane', () => {
  fc.assert(
    fc.property(plane, rect, step, (source, wanted, factor) => {
      expectMeans(source, downscale(source, wanted, factor));
    }),
  );
});

test('the result covers the requested rectangle, except for partial blocks at the edge of the plane', () => {
  fc.assert(
    fc.property(plane, rect, step, (source, { left, top, right, bottom }, factor) => {
      const { x, y, width, height } = downscale(source, { left, top, right, bottom }, factor);
      const expectCovered = (from: number, count: number, low: number, high: number, size: number) => {
        const margin = Math.max(4, factor) + 3;
        expect(from).toBeLessThanOrEqual(Math.max(margin, Math.min(low, size)));
        expect(from + count * factor).toBeGreaterThanOrEqual(Math.min(Math.max(high, 0), size - margin));
      };
      expectCovered(x, width, left, right, source.width);
      expectCovered(y, height, top, bottom, source.height);
    }),
  );
});

test('a part of a rectangle that was downscaled before comes from the cache', () => {
  const source = noise(400, 300, 2, 5);
  const whole = downscale(source, { left: 0, top: 0, right: 400, bottom: 300 }, 4);
  expect(downscale(source, { left: 101, top: 50, right: 200, bottom: 90 }, 4)).toBe(whole);
  const other = { ...source, pixels: source.pixels.slice() };
  expect(downscale(other, { left: 101, top: 50, right: 200, bottom: 90 }, 4)).not.toBe(whole);
});
