import { describe, expect, it } from 'vitest';
import { Backoff, type BackoffOptions } from '../src/backoff.ts';

/** Delays of `count` failures in a row, with `random` fixed. */
function delays(jitter: BackoffOptions['jitter'], random: number, count = 6): number[] {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1_000, jitter, random: () => random });
  return Array.from({ length: count }, () => backoff.next());
}

describe('Backoff', () => {
  it('doubles the bound with each failure, up to the cap', () => {
    expect(delays('full', 1)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(delays('equal', 1)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });

  it('caps the bound after any number of failures', () => {
    const many = delays('full', 1, 2_000);
    expect(many.at(-1)).toBe(1_000);
  });

  it('with full jitter is uniform between 0 and the bound', () => {
    expect(delays('full', 0)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(delays('full', 0.5)).toEqual([50, 100, 200, 400, 500, 500]);
  });

  it('with equal jitter is uniform between half the bound and the bound', () => {
    expect(delays('equal', 0)).toEqual([50, 100, 200, 400, 500, 500]);
    expect(delays('equal', 0.5)).toEqual([75, 150, 300, 600, 750, 750]);
  });

  it.each(['full', 'equal'] as const)('stays within its bounds with Math.random: %s', (jitter) => {
    for (let run = 0; run < 200; run += 1) {
      const backoff = new Backoff({ firstMs: 100, maxMs: 1_000, jitter });
      for (const bound of [100, 200, 400, 800, 1_000]) {
        const delay = backoff.next();
        expect(delay).toBeGreaterThanOrEqual(jitter === 'full' ? 0 : bound / 2);
        expect(delay).toBeLessThanOrEqual(bound);
      }
    }
  });

  it('counts failures until reset, which starts again from the first delay', () => {
    const backoff = new Backoff({ firstMs: 100, maxMs: 1_000, jitter: 'full', random: () => 1 });
    expect([backoff.next(), backoff.next()]).toEqual([100, 200]);
    expect(backoff.attempts).toBe(2);
    backoff.reset();
    expect(backoff.attempts).toBe(0);
    expect(backoff.next()).toBe(100);
  });

  it('takes a bound from the caller, jittered and counted as a failure', () => {
    const backoff = new Backoff({ firstMs: 100, maxMs: 1_000, jitter: 'equal', random: () => 0 });
    expect(backoff.nextWithin(60_000)).toBe(30_000);
    expect(backoff.attempts).toBe(1);
    expect(backoff.next()).toBe(100);
  });
});

describe('Backoff.wait', () => {
  it('counts one failure and ends early, without an error, when aborted', async () => {
    const backoff = new Backoff({ firstMs: 3_600_000, maxMs: 3_600_000, jitter: 'equal' });
    const stop = new AbortController();
    const waiting = backoff.wait(stop.signal);
    stop.abort();
    await expect(waiting).resolves.toBeUndefined();
    expect(backoff.attempts).toBe(1);
  });

  it('returns at once when the signal is already aborted', async () => {
    const backoff = new Backoff({ firstMs: 3_600_000, maxMs: 3_600_000, jitter: 'equal' });
    await expect(backoff.wait(AbortSignal.abort())).resolves.toBeUndefined();
  });

  it('ends by itself when the delay is over', async () => {
    const backoff = new Backoff({ firstMs: 2, maxMs: 2, jitter: 'full' });
    await expect(backoff.wait()).resolves.toBeUndefined();
    expect(backoff.attempts).toBe(1);
  });
});
