import { expect, test } from 'vitest';
import { Admission } from '../../../src/ingest/host/admission.ts';

const budgeted = (cpuBudget: number, cores: number) => new Admission({ maxCameras: null, cpuBudget }, cores);
const running = (count: number, cores: number | null) => Array.from({ length: count }, () => cores);

test('cameras are admitted while all of them fit into the CPU budget', () => {
  const admission = budgeted(2, 4);
  expect(admission.refusal(running(15, 0.5))).toBeNull();
  expect(admission.refusal(running(16, 0.5))).toBe(
    '16 running cameras need 8.0 cores to analyse every frame, one more about 0.5; the limit is 8.0 (ingest.cpuBudget 2 × 4 cores)',
  );
});

test('cameras not measured yet count as the mean of the measured ones, or as an assumed need', () => {
  const admission = budgeted(1, 2);
  expect(admission.refusal([0.1, 0.1, ...running(17, null)])).toBeNull();
  expect(admission.refusal([0.1, 0.1, ...running(18, null)])).not.toBeNull();
  expect(admission.refusal(running(7, null))).toBeNull();
  expect(admission.refusal(running(8, null))).not.toBeNull();
});

test('the first camera is always admitted, and maxCameras overrides the measurement', () => {
  expect(budgeted(0.1, 1).refusal([])).toBeNull();
  const fixed = new Admission({ maxCameras: 3, cpuBudget: 0.1 }, 1);
  expect(fixed.refusal(running(2, 9))).toBeNull();
  expect(fixed.refusal(running(3, 0.01))).toBe('3 cameras are running, the maximum by ingest.maxCameras');
});
