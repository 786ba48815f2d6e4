import { describe, expect, it } from 'vitest';
import { gapThreshold } from '../../src/domain/gap.ts';

describe('gapThreshold', () => {
  it('is the configured minimum at ordinary frame rates', () => {
    expect(gapThreshold(1, 40_000)).toBe(1_000_000);
  });

  it('is 2.5 frame intervals where they are longer than the configured minimum', () => {
    expect(gapThreshold(1, 1_000_000)).toBe(2_500_000);
  });

  it('tolerates one lost frame and jitter at any frame rate, and no more', () => {
    for (const interval of [10_000, 40_000, 400_000, 5_000_000]) {
      const threshold = gapThreshold(0.1, interval);
      expect(2 * interval).toBeLessThanOrEqual(threshold);
      expect(Math.max(100_000, 2.5 * interval)).toBe(threshold);
    }
  });
});
