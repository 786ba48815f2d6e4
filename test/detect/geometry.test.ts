import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CROP_TEMPLATE, cropSquare } from '../../src/detect/alignment.ts';
import { fitSimilarity, invert, iou, squareToFrame, transformPoint } from '../../src/detect/geometry.ts';
import type { Box, Point } from '../../src/domain/face.ts';

const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });
const similarity = fc
  .record({ angle: number(-3, 3), scale: number(0.05, 20), tx: number(-1e3, 1e3), ty: number(-1e3, 1e3) })
  .map(({ angle, scale, tx, ty }) => ({ a: Math.cos(angle) * scale, b: Math.sin(angle) * scale, tx, ty }));

test('fitSimilarity recovers a similarity from four points; invert undoes it', () => {
  fc.assert(
    fc.property(similarity, (transform) => {
      const found = fitSimilarity(
        CROP_TEMPLATE,
        CROP_TEMPLATE.map((point) => transformPoint(transform, point)),
      );
      for (const key of ['a', 'b', 'tx', 'ty'] as const) expect(found[key]).toBeCloseTo(transform[key], 6);
      const back = transformPoint(invert(transform), transformPoint(transform, { x: 12, y: -7 }));
      expect(back.x).toBeCloseTo(12, 6);
      expect(back.y).toBeCloseTo(-7, 6);
    }),
  );
});

test('crops are aligned as in training', () => {
  const cases: { keypoints: number[][]; corners: number[][] }[] = JSON.parse(
    readFileSync(new URL('../fixtures/detect/alignment.json', import.meta.url), 'utf8'),
  );
  // Pixel centres are whole numbers in training, and at + 0.5 here.
  const point = ([x = 0, y = 0]: number[]): Point => ({ x: x + 0.5, y: y + 0.5 });
  for (const { keypoints, corners } of cases) {
    const [rightEye, leftEye, nose, mouth] = keypoints.map(point) as [Point, Point, Point, Point];
    const ear = { x: 0, y: 0 };
    const crop = cropSquare({ rightEye, leftEye, nose, mouth, rightEar: ear, leftEar: ear }, CROP_TEMPLATE);
    const toFrame = squareToFrame(112, crop);
    [
      { x: 0, y: 0 },
      { x: 112, y: 0 },
      { x: 0, y: 112 },
    ].forEach((corner, i) => {
      const actual = transformPoint(toFrame, corner);
      expect(actual.x).toBeCloseTo(point(corners[i]!).x, 3);
      expect(actual.y).toBeCloseTo(point(corners[i]!).y, 3);
    });
  }
});

test('intersection over union is symmetric, 1 for equal boxes and 0 for disjoint ones', () => {
  const box: fc.Arbitrary<Box> = fc.record({
    x: number(-50, 50),
    y: number(-50, 50),
    w: number(1, 40),
    h: number(1, 40),
  });
  fc.assert(
    fc.property(box, box, (a, b) => {
      expect(iou(a, b)).toBeCloseTo(iou(b, a), 12);
      expect(iou(a, a)).toBeCloseTo(1, 12);
      expect(iou(a, { ...a, x: a.x + a.w })).toBe(0);
    }),
  );
});
