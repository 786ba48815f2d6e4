import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Region } from '../../src/detect/detections.ts';
import { ScanPlan } from '../../src/detect/scan-plan.ts';

const size = fc.record({
  width: fc.integer({ min: 64, max: 3840 }),
  height: fc.integer({ min: 64, max: 2160 }),
  minFaceHeight: fc.integer({ min: 16, max: 120 }),
});

/** A square of the frame, as it lies in a region, in the region's pixels. */
const placed = ({ toFrame, width, height }: Region, x: number, y: number, side: number) => {
  const left = (x - toFrame.tx) / toFrame.a;
  const top = (y - toFrame.ty) / toFrame.a;
  const edge = side / toFrame.a;
  return { edge, whole: Math.min(left, top, width - left - edge, height - top - edge) >= -1e-6 };
};

test('every face from the smallest size on is whole, and large enough, in some region', () => {
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
        const edges = regions.map((region) => placed(region, x, y, side)).filter(({ whole }) => whole);
        // 16 pixels: BlazeFace still finds nine in ten there.
        expect(Math.max(...edges.map(({ edge }) => edge))).toBeGreaterThanOrEqual(16);
      },
    ),
  );
});

test('regions are what the detector takes', () => {
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

test('a period looks at everything, spread evenly, and at the whole frame four times', () => {
  fc.assert(
    fc.property(size, fc.integer({ min: 5, max: 60 }), ({ width, height, minFaceHeight }, fps) => {
      const plan = new ScanPlan(width, height, minFaceHeight);
      const [overview, ...tiles] = plan.all();
      const seen: Region[][] = Array.from({ length: fps + 1 }, () => [...plan.due(1 / fps, 1)]);
      for (const tile of tiles) expect(seen.flat()).toContain(tile);
      const looks = seen.flat().filter((region) => region === overview).length;
      expect(looks).toBeGreaterThanOrEqual(3);
      expect(looks).toBeLessThanOrEqual(5);
      for (const regions of seen)
        expect(regions.length).toBeLessThanOrEqual(Math.ceil(tiles.length / fps) + 1);
    }),
  );
});
