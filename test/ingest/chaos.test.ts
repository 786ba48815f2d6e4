import { expect, test } from 'vitest';
import { runChaos } from './chaos.ts';

test('under random faults every gap is reported, capture times rise, and every camera recovers', async () => {
  const { violations, faults, frames } = await runChaos({ cameras: 3, seconds: 25, seed: 7 });
  expect(violations).toEqual([]);
  expect(Object.values(faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(6);
  expect(frames).toBeGreaterThan(300);
}, 120_000);
