import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RestartPolicy } from '../../../src/ingest/host/restart-policy.ts';
import { seededRandom } from '../../../src/simulate/faults.ts';

const options = { firstSeconds: 0.5, maxSeconds: 8, budgetPerHour: 1000, exhaustedSeconds: 60 };
const constant = (value: number) => () => value;

describe('the delay before a restart', () => {
  test('doubles up to its bound, and is reset by a frame', () => {
    const policy = new RestartPolicy(options, constant(1));
    expect([1, 2, 3, 4, 5, 6, 7].map(() => policy.nextDelay(0))).toEqual([
      500, 1000, 2000, 4000, 8000, 8000, 8000,
    ]);
    policy.succeeded();
    expect(policy.nextDelay(0)).toBe(500);
  });

  test('is long for a password that is rejected again', () => {
    const policy = new RestartPolicy(options, constant(1));
    expect([1, 2, 3].map(() => policy.nextDelay(0, true))).toEqual([500, 60_000, 60_000]);
  });

  test('has full jitter: between 0 and the bound', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 50 }),
        (random, failures) => {
          const policy = new RestartPolicy(options, constant(random));
          let delay = 0;
          for (let failure = 0; failure < failures; failure++) delay = policy.nextDelay(0);
          expect(delay).toBe(Math.round(random * Math.min(8, 0.5 * 2 ** (failures - 1)) * 1000));
        },
      ),
    );
  });

  test('bounds the number of attempts of a camera that is down for an hour', () => {
    const policy = new RestartPolicy(options, seededRandom(0));
    let now = 0;
    let attempts = 0;
    while (now < 3_600_000) {
      const delay = policy.nextDelay(now);
      expect(delay).toBeLessThanOrEqual(Math.min(8000, 500 * 2 ** attempts));
      now += delay;
      attempts += 1;
    }
    // The mean delay under full jitter is half the bound, 4 s: 900 attempts, within four standard deviations (±70).
    expect(attempts).toBeGreaterThan(830);
    expect(attempts).toBeLessThan(970);
  });

  test('grows once a flapping camera has used its hourly budget, and recovers an hour later', () => {
    const policy = new RestartPolicy({ ...options, budgetPerHour: 10 }, constant(1));
    const flap = (now: number) => {
      policy.succeeded();
      return policy.nextDelay(now);
    };
    expect(Array.from({ length: 10 }, (_, index) => flap(index * 1000))).toEqual(Array(10).fill(500));
    expect(flap(10_000)).toBe(60_000);
    expect(flap(3_700_000)).toBe(500);
  });
});
