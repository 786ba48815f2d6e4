import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { containsPoint, containsRectangle, type Polygon, polygonIssue } from '../../src/domain/polygon.ts';

const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const L_SHAPE: Polygon = [
  [0.1, 0.1],
  [0.9, 0.1],
  [0.9, 0.5],
  [0.5, 0.5],
  [0.5, 0.9],
  [0.1, 0.9],
];
/** A star around (0.5, 0.5), so that no two edges cross. */
const star = fc
  .array(fc.record({ turn: fraction, radius: fc.double({ min: 0.05, max: 0.5, noNaN: true }) }), {
    minLength: 3,
    maxLength: 12,
  })
  .map((rays) =>
    rays
      .map(({ turn, radius }) => ({ angle: 2 * Math.PI * turn, radius }))
      .sort((a, b) => a.angle - b.angle)
      .map(({ angle, radius }) => [0.5 + radius * Math.cos(angle), 0.5 + radius * Math.sin(angle)] as const),
  );
const anyPolygon = fc.array(fc.tuple(fraction, fraction), { minLength: 3, maxLength: 12 });

/**
 * Independent of the ray casting of `containsPoint`: the parity of the winding number, from the sum of the angles under
 * which the point sees each edge. Parity of the winding number and of the crossings are the same (even-odd rule).
 */
function isInsideByAngles(polygon: Polygon, x: number, y: number): boolean {
  const sum = polygon.reduce((total, [ax, ay], i) => {
    const [bx, by] = polygon[(i + 1) % polygon.length]!;
    const [px, py, qx, qy] = [ax - x, ay - y, bx - x, by - y];
    return total + Math.atan2(px * qy - py * qx, px * qx + py * qy);
  }, 0);
  return Math.abs(Math.round(sum / (2 * Math.PI))) % 2 === 1;
}

function distanceToBorder(polygon: Polygon, x: number, y: number): number {
  return Math.min(
    ...polygon.map(([ax, ay], i) => {
      const [bx, by] = polygon[(i + 1) % polygon.length]!;
      const length2 = (bx - ax) ** 2 + (by - ay) ** 2;
      const t =
        length2 === 0 ? 0 : Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2));
      return Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay));
    }),
  );
}

describe('a point', () => {
  test('is inside by the even-odd rule, as by its winding number', () => {
    fc.assert(
      fc.property(fc.oneof(star, anyPolygon), fraction, fraction, (polygon, x, y) => {
        fc.pre(distanceToBorder(polygon, x, y) > 1e-9);
        expect(containsPoint(polygon, x, y)).toBe(isInsideByAngles(polygon, x, y));
      }),
      { numRuns: 2_000 },
    );
  });

  test('on the border is inside, at corners too', () => {
    for (const [x, y] of L_SHAPE) expect(containsPoint(L_SHAPE, x, y)).toBe(true);
    for (const [x, y] of [
      [0.5, 0.1],
      [0.9, 0.3],
      [0.7, 0.5],
      [0.5, 0.7],
      [0.1, 0.5],
    ] as const)
      expect(containsPoint(L_SHAPE, x, y)).toBe(true);
    const picture: Polygon = [
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
    ];
    for (const [x, y] of picture) expect(containsPoint(picture, x, y)).toBe(true);
  });

  test('outside the corner of an L is outside', () => {
    expect(containsPoint(L_SHAPE, 0.7, 0.7)).toBe(false);
    expect(containsPoint(L_SHAPE, 0.05, 0.5)).toBe(false);
  });

  test('does not depend on the direction of the corners', () => {
    fc.assert(
      fc.property(star, fraction, fraction, (polygon, x, y) => {
        fc.pre(distanceToBorder(polygon, x, y) > 1e-9);
        expect(containsPoint(polygon.toReversed(), x, y)).toBe(containsPoint(polygon, x, y));
      }),
    );
  });
});

const side = fc.double({ min: 0.01, max: 0.3, noNaN: true });
test('a rectangle is inside only if every point of it is', () => {
  fc.assert(
    fc.property(star, fraction, fraction, side, side, (polygon, left, top, width, height) => {
      const [right, bottom] = [left + width, top + height];
      if (!containsRectangle(polygon, { left, top, right, bottom })) return;
      for (let i = 0; i <= 20; i++)
        for (let j = 0; j <= 20; j++) {
          const [x, y] = [left + ((right - left) * i) / 20, top + ((bottom - top) * j) / 20];
          if (distanceToBorder(polygon, x, y) > 1e-9) expect(containsPoint(polygon, x, y)).toBe(true);
        }
    }),
    { numRuns: 500 },
  );
});

test('a rectangle over the notch of a U is not inside, although its corners are', () => {
  const u: Polygon = [
    [0, 0],
    [0.4, 0],
    [0.4, 0.8],
    [0.6, 0.8],
    [0.6, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ];
  expect(containsRectangle(u, { left: 0.2, top: 0.2, right: 0.8, bottom: 0.9 })).toBe(false);
  expect(containsRectangle(u, { left: 0, top: 0.8, right: 1, bottom: 1 })).toBe(true);
  expect(containsRectangle(u, { left: 0, top: 0, right: 0.4, bottom: 1 })).toBe(true);
});

describe('a polygon of a config', () => {
  test('that does not cross itself is valid', () => {
    expect(polygonIssue(L_SHAPE)).toBeNull();
    expect(polygonIssue(L_SHAPE.toReversed())).toBeNull();
  });

  test.each<[string, Polygon, string]>([
    [
      'two points',
      [
        [0, 0],
        [1, 1],
      ],
      'needs at least 3 points',
    ],
    [
      'a bow tie',
      [
        [0, 0],
        [1, 1],
        [1, 0],
        [0, 1],
      ],
      'crosses or touches itself: its edges 1 and 3 meet',
    ],
    [
      'a line',
      [
        [0, 0],
        [0.5, 0.5],
        [1, 1],
      ],
      'crosses or touches itself: its edges 1 and 3 meet',
    ],
    [
      'a closed ring',
      [
        [0, 0],
        [1, 0],
        [1, 1],
        [0, 0],
      ],
      'the last point repeats the first one: leave it out',
    ],
    [
      'a repeated point',
      [
        [0, 0],
        [1, 0],
        [1, 0],
        [0, 1],
      ],
      'point 3 repeats the one before it',
    ],
    [
      'a corner on another edge',
      [
        [0, 0],
        [1, 0],
        [1, 1],
        [0.5, 0],
        [0, 1],
      ],
      'crosses or touches itself: its edges 1 and 3 meet',
    ],
    [
      'a needle',
      [
        [0, 0],
        [1, 0],
        [0.5, 1e-9],
      ],
      'encloses no area',
    ],
  ])('is reported: %s', (_, polygon, issue) => {
    expect(polygonIssue(polygon)).toBe(issue);
  });
});
