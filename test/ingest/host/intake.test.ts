import { expect, test } from 'vitest';
import { Intake } from '../../../src/ingest/host/intake.ts';

test('the burst is taken at once, then the rate', () => {
  const intake = new Intake(10, 3);
  expect([1, 1, 1].map((cost) => intake.take(cost, 0))).toEqual([0, 0, 0]);
  expect(intake.take(1, 0)).toBe(100);
  expect(intake.take(1, 100)).toBe(100);
  expect(intake.take(1, 300)).toBe(0);
});

test('an expensive item waits for as long as it costs', () => {
  const intake = new Intake(10, 3);
  expect(intake.take(8, 0)).toBe(500);
});
