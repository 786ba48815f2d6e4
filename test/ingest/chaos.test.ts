import { expect, test } from 'vitest';
import { runChaos } from './chaos.ts';

test('under random faults every hole is told of, times rise, and every camera comes back', async () => {
  const { violations, faults, frames } = await runChaos({ cameras: 3, seconds: 25, seed: 7 });
  expect(violations).toEqual([]);
  expect(Object.values(faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(6);
  expect(frames).toBeGreaterThan(300);
}, 120_000);
