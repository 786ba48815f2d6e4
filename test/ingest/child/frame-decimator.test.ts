import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameDecimator } from '../../../src/ingest/child/frame-decimator.ts';

const admitted = (decimator: FrameDecimator, times: readonly number[]) =>
  times.filter((time) => decimator.admit(time));

describe('the frame decimator', () => {
  test.each([
    [25, 30, 250, 40_000],
    [30, 30, 300, 33_333],
    [50, 25, 250, 40_000],
    [60, 30, 300, 33_333],
    [30, 20, 200, 50_000],
  ])('from %d fps to at most %d fps admits %d frames in 10 s', (sourceFps, targetFps, count, interval) => {
    const times = Array.from({ length: sourceFps * 10 }, (_, index) => (index * 1_000_000) / sourceFps);
    const decimator = new FrameDecimator(targetFps, sourceFps);
    expect(Math.abs(admitted(decimator, times).length - count)).toBeLessThanOrEqual(1);
    expect(decimator.interval).toBe(interval);
  });

  test('admits every frame of a jittering stream at the target rate', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -3_000, max: 3_000 }), { minLength: 60, maxLength: 60 }),
        (jitter) => {
          const times = jitter.map((shift, index) => index * 40_000 + shift);
          expect(admitted(new FrameDecimator(25, 25), times)).toHaveLength(60);
        },
      ),
    );
  });

  test('measures the source rate where the declared one is wrong', () => {
    const decimator = new FrameDecimator(120, 100);
    for (let frame = 0; frame < 40; frame++) decimator.admit(frame * 66_667);
    expect(decimator.interval).toBe(66_667);
  });
});
