import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RestartPolicy } from '../../../src/ingest/host/restart.ts';

const options = { firstSeconds: 0.5, maxSeconds: 8, budgetPerHour: 1000, exhaustedSeconds: 60 };
const always = (value: number) => () => value;

describe('the wait before a restart', () => {
  test('doubles up to its cap, and begins anew after a frame', () => {
    const policy = new RestartPolicy(options, always(1));
    expect([1, 2, 3, 4, 5, 6, 7].map(() => policy.next(0))).toEqual([
      500, 1000, 2000, 4000, 8000, 8000, 8000,
    ]);
    policy.succeeded();
    expect(policy.next(0)).toBe(500);
  });

  test('is long for a password that is rejected again', () => {
    const policy = new RestartPolicy(options, always(1));
    expect([1, 2, 3].map(() => policy.next(0, true))).toEqual([500, 60_000, 60_000]);
  });

  test('is anything between nothing and that ceiling', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 50 }),
        (random, failures) => {
          const policy = new RestartPolicy(options, always(random));
          let wait = 0;
          for (let failure = 0; failure < failures; failure++) wait = policy.next(0);
          expect(wait).toBe(Math.round(random * Math.min(8, 0.5 * 2 ** (failures - 1)) * 1000));
        },
      ),
    );
  });

  test('of a camera dead for an hour: attempts follow the schedule, their number is bounded', () => {
    let seed = 1;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const policy = new RestartPolicy(options, random);
    let now = 0;
    let attempts = 0;
    while (now < 3_600_000) {
      const wait = policy.next(now);
      expect(wait).toBeLessThanOrEqual(Math.min(8000, 500 * 2 ** attempts));
      now += wait;
      attempts += 1;
    }
    // The mean wait under full jitter is half the cap, 4 s: 900 attempts, within four standard deviations (±70).
    expect(attempts).toBeGreaterThan(830);
    expect(attempts).toBeLessThan(970);
  });

  test('of a camera that flaps grows once its budget is used up, and shrinks when that is long ago', () => {
    const policy = new RestartPolicy({ ...options, budgetPerHour: 10 }, always(1));
    const flap = (now: number) => {
      policy.succeeded();
      return policy.next(now);
    };
    expect(Array.from({ length: 10 }, (_, index) => flap(index * 1000))).toEqual(Array(10).fill(500));
    expect(flap(10_000)).toBe(60_000);
    expect(flap(3_700_000)).toBe(500);
  });
});
