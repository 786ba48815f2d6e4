import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FaceHistory } from '../../src/dashboard/history.ts';

test('a ring of any capacity keeps exactly the newest samples and finds them by time', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 256, max: 700 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 1_500 }),
      fc.integer({ min: 0, max: 80_000 }),
      (capacity, steps, wanted) => {
        const history = new FaceHistory(2, capacity);
        const all: number[] = [];
        let time = 0;
        for (const [n, step] of steps.entries()) {
          time += step;
          all.push(time);
          history.push(time, [n, n + 5], [n + 1, -1], n & 3);
        }
        const kept = all.length - history.oldest;
        // Doubling may leave fewer than `capacity`, never fewer than the first ring.
        expect(kept).toBe(Math.min(all.length, capacityAfter(all.length, capacity)));
        for (let n = history.oldest; n < all.length; n += 7) {
          expect(history.time(n)).toBe(all[n]);
          expect([history.raw(n, 0), history.raw(n, 1), history.smoothed(n, 0)]).toEqual([n, n + 5, n + 1]);
          expect(history.active(n)).toBe(n & 3);
        }
        const expected = all.findIndex((at, n) => n >= history.oldest && at >= wanted);
        expect(history.firstSince(wanted)).toBe(expected < 0 ? all.length : expected);
      },
    ),
    { numRuns: 50 },
  );
});

function capacityAfter(samples: number, capacity: number): number {
  let size = 256;
  while (size < samples && size < capacity) size = Math.min(2 * size, capacity);
  return size;
}
