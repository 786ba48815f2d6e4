import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Load, SHARES, Shedding } from '../../../src/ingest/host/shedding.ts';

const LOOK_MS = 2_000;
const FINE: Load = { lost: 0, ageMs: 50 };
const LOSING: Load = { lost: 0.4, ageMs: 200 };
const IDLE = { busy: 0.3, behind: false };

/** A policy with its own clock. */
class Run {
  readonly #shedding = new Shedding();
  #now = 0;

  /** The shares after so many seconds of the same loads. */
  for(seconds: number, loads: Record<string, Load>, host = IDLE): Record<string, number> {
    let shares = new Map<string, number>();
    for (let look = 0; look < seconds * 1000; look += LOOK_MS) {
      this.#now += LOOK_MS;
      shares = this.#shedding.next(this.#now, new Map(Object.entries(loads)), host);
    }
    return Object.fromEntries(shares);
  }
}

describe('frames are shed', () => {
  test('not for a hiccup, then one step after the other', () => {
    const run = new Run();
    expect(run.for(2, { a: LOSING })).toEqual({ a: 1 });
    expect(run.for(2, { a: FINE })).toEqual({ a: 1 });
    expect(run.for(4, { a: LOSING })).toEqual({ a: 3 / 4 });
    expect(run.for(4, { a: LOSING })).toEqual({ a: 1 / 2 });
    expect(run.for(60, { a: LOSING })).toEqual({ a: 1 / 8 });
  });

  test('also where crops come late without a loss', () => {
    expect(new Run().for(4, { a: { lost: 0, ageMs: 1_500 } })).toEqual({ a: 3 / 4 });
  });

  test('by one camera alone where only its own process is slow', () => {
    expect(new Run().for(8, { a: LOSING, b: FINE, c: FINE })).toEqual({ a: 1 / 2, b: 1, c: 1 });
  });

  test.each([
    ['most of them lose', { a: LOSING, b: LOSING, c: FINE }, IDLE],
    ['one loses on a machine that is full', { a: LOSING, b: FINE, c: FINE }, { busy: 0.99, behind: false }],
    ['what comes after them is behind', { a: FINE, b: FINE, c: FINE }, { busy: 0.5, behind: true }],
  ])('by all alike where %s', (_, loads, host) => {
    expect(new Run().for(8, loads, host)).toEqual({ a: 1 / 2, b: 1 / 2, c: 1 / 2 });
  });
});

describe('steps up', () => {
  test('come after a while of calm, one by one', () => {
    const run = new Run();
    run.for(8, { a: LOSING });
    expect(run.for(14, { a: FINE })).toEqual({ a: 1 / 2 });
    expect(run.for(4, { a: FINE })).toEqual({ a: 3 / 4 });
    expect(run.for(16, { a: FINE })).toEqual({ a: 1 });
  });

  test('wait while it is neither calm nor too much', () => {
    const run = new Run();
    run.for(4, { a: LOSING });
    expect(run.for(600, { a: { lost: 0.05, ageMs: 100 } })).toEqual({ a: 3 / 4 });
  });

  test('that fail are tried less and less often, and at once again after a long calm', () => {
    const run = new Run();
    /** A machine that bears half of the frames. */
    const tries = (seconds: number) => {
      let [ups, share] = [0, 1];
      for (let second = 0; second < seconds; second += 2) {
        const next = run.for(2, { a: share > 1 / 2 ? LOSING : FINE }).a!;
        if (next > share) ups += 1;
        share = next;
      }
      return ups;
    };
    const [first, second] = [tries(600), tries(600)];
    expect(first).toBeGreaterThan(3);
    expect(second).toBeLessThanOrEqual(2);
    run.for(1_000, { a: FINE });
    run.for(4, { a: LOSING });
    expect(run.for(18, { a: FINE })).toEqual({ a: 1 });
  });
});

test('what is behind before any camera has settled says nothing of the cameras', () => {
  const run = new Run();
  run.for(20, {}, { busy: 1, behind: true });
  expect(run.for(2, { a: FINE })).toEqual({ a: 1 });
});

test('a camera that is gone is forgotten', () => {
  const run = new Run();
  run.for(8, { a: LOSING, b: FINE, c: FINE });
  run.for(2, { b: FINE, c: FINE });
  expect(run.for(2, { a: FINE, b: FINE, c: FINE })).toEqual({ a: 1, b: 1, c: 1 });
});

test('whatever the loads, shares are of the list and move by one step a look at most', () => {
  const load = fc.record({
    lost: fc.double({ min: 0, max: 1, noNaN: true }),
    ageMs: fc.option(fc.nat(5_000)),
  });
  const looks = fc.array(fc.tuple(load, load, fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()), {
    maxLength: 80,
  });
  fc.assert(
    fc.property(looks, (all) => {
      const shedding = new Shedding();
      let before = [0, 0];
      all.forEach(([a, b, busy, behind], index) => {
        const shares = shedding.next(
          index * LOOK_MS,
          new Map([
            ['a', a],
            ['b', b],
          ]),
          { busy, behind },
        );
        const levels = [...shares.values()].map((share) => SHARES.indexOf(share as (typeof SHARES)[number]));
        levels.forEach((level, camera) => {
          expect(level).toBeGreaterThanOrEqual(0);
          expect(Math.abs(level - before[camera]!)).toBeLessThanOrEqual(1);
        });
        before = levels;
      });
    }),
  );
});
