import { describe, expect, test } from 'vitest';
import { RateLimiter } from '../../../src/ingest/child/rate-limiter.ts';

/** Counts the frames of one second that are analysed, or dropped by cause. */
function countSecond(limiter: RateLimiter, fps: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let frame = 0; frame < fps; frame++) {
    const outcome = limiter.dropCause((frame * 1_000_000) / fps) ?? 'analysed';
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

describe('the rate limiter', () => {
  test('decimates to analysisFps first, then sheds the throttled share', () => {
    const limiter = new RateLimiter(25, 1);
    limiter.beginEpoch(50);
    limiter.throttle(0.2);
    expect(limiter.interval).toBe(40_000);
    expect(countSecond(limiter, 50)).toEqual({ analysis_fps: 25, overload: 20, analysed: 5 });
  });

  test('sheds no more than the gap threshold allows', () => {
    const limiter = new RateLimiter(25, 1);
    limiter.beginEpoch(5);
    limiter.throttle(0);
    // Frames are 200 ms apart: one in four keeps gaps below a second, with room for jitter.
    const admitted = Array.from({ length: 20 }, (_, frame) => limiter.dropCause(frame * 200_000)).map(
      (cause) => cause === null,
    );
    expect(admitted.flatMap((admit, frame) => (admit ? [frame] : []))).toEqual([3, 7, 11, 15, 19]);
  });

  test('restarts the rate measurement in each epoch, and keeps the share', () => {
    const limiter = new RateLimiter(25, 1);
    expect(limiter.interval).toBe(0);
    limiter.throttle(0.5);
    limiter.beginEpoch(25);
    expect(limiter.interval).toBe(40_000);
    limiter.beginEpoch(10);
    expect(limiter.interval).toBe(100_000);
    expect(countSecond(limiter, 10)).toEqual({ analysed: 5, overload: 5 });
  });
});
