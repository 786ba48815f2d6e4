import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Region } from '../../src/detect/detections.ts';
import { ScanPlan } from '../../src/detect/scan-plan.ts';

const size = fc.record({
  width: fc.integer({ min: 64, max: 3840 }),
  height: fc.integer({ min: 64, max: 2160 }),
  minFaceHeight: fc.integer({ min: 16, max: 120 }),
});

/** A square of the frame in a region: its edge in detector input pixels, and whether it lies wholly inside. */
const squareInRegion = ({ toFrame, width, height }: Region, x: number, y: number, side: number) => {
  const left = (x - toFrame.tx) / toFrame.a;
  const top = (y - toFrame.ty) / toFrame.a;
  const edge = side / toFrame.a;
  return { edge, whole: Math.min(left, top, width - left - edge, height - top - edge) >= -1e-6 };
};

test('every face of at least the smallest size lies whole, and large enough, in some region', () => {
  fc.assert(
    fc.property(
      size,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      ({ width, height, minFaceHeight }, u, v, w) => {
        const largest = Math.min(width, height);
        fc.pre(largest > minFaceHeight);
        const side = minFaceHeight * (largest / minFaceHeight) ** w;
        const [x, y] = [u * (width - side), v * (height - side)];
        const regions = new ScanPlan(width, height, minFaceHeight).all();
        const edges = regions
          .map((region) => squareInRegion(region, x, y, side))
          .filter(({ whole }) => whole);
        // BlazeFace still detects nine of ten faces at 16 pixels.
        expect(Math.max(...edges.map(({ edge }) => edge))).toBeGreaterThanOrEqual(16);
      },
    ),
  );
});

test('region sizes are multiples of 32 and at most 384', () => {
  fc.assert(
    fc.property(size, ({ width, height, minFaceHeight }) => {
      for (const region of new ScanPlan(width, height, minFaceHeight).all()) {
        expect(region.width % 32).toBe(0);
        expect(region.height % 32).toBe(0);
        expect(Math.max(region.width, region.height)).toBeLessThanOrEqual(384);
      }
    }),
  );
});

test('one period scans every tile, spread evenly, and the overview about four times', () => {
  fc.assert(
    fc.property(size, fc.integer({ min: 5, max: 60 }), ({ width, height, minFaceHeight }, fps) => {
      const plan = new ScanPlan(width, height, minFaceHeight);
      const [overview, ...tiles] = plan.all();
      const scans: Region[][] = Array.from({ length: fps + 1 }, () => [...plan.due(1 / fps, 1)]);
      for (const tile of tiles) expect(scans.flat()).toContain(tile);
      const overviews = scans.flat().filter((region) => region === overview).length;
      expect(overviews).toBeGreaterThanOrEqual(3);
      expect(overviews).toBeLessThanOrEqual(5);
      for (const regions of scans)
        expect(regions.length).toBeLessThanOrEqual(Math.ceil(tiles.length / fps) + 1);
    }),
  );
});

test('excluded regions are never scanned, all regions included', () => {
  const [, ...tiles] = new ScanPlan(1280, 720, 32).all();
  const left = ({ toFrame, width }: Region) => toFrame.tx + width * toFrame.a <= 720;
  const plan = new ScanPlan(1280, 720, 32, left);
  const scanned = [...plan.all(), ...Array.from({ length: 100 }, () => plan.due(0.04, 1)).flat()];
  expect(new Set(scanned).size).toBe(1 + tiles.filter((tile) => !left(tile)).length);
  expect(scanned.some(left)).toBe(false);
  const nothing = new ScanPlan(1280, 720, 32, () => true);
  expect([...nothing.all(), ...nothing.due(10, 1)]).toEqual([]);
});
