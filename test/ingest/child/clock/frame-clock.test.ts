import { expect, test } from 'vitest';
import { FileClock } from '../../../../src/ingest/child/clock/frame-clock.ts';

test('the capture time of a file is its PTS from the first frame on', () => {
  const clock = new FileClock();
  expect(clock.firstPts).toBe(0);
  expect(clock.read(1_000_000)).toEqual({
    captureTime: 0,
    clockSource: 'file',
    generation: 0,
    hostClockStepped: false,
  });
  clock.beginEpoch();
  expect(clock.read(1_040_000).captureTime).toBe(40_000);
  expect(clock.firstPts).toBe(1_000_000);
  expect(clock.lagging).toBe(false);
  expect(clock.report).toEqual({ clockErrorMs: null, driftPpm: null });
});
