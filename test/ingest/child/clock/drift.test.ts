import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CaptureClock } from '../../../../src/ingest/child/clock/capture-clock.ts';
import { Drift } from '../../../../src/ingest/child/clock/drift.ts';

const SECOND = 1_000_000;

test('the drift is the slope of the readings, whatever their offset', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -300, max: 300, noNaN: true }),
      fc.integer({ min: -1e9, max: 1e9 }),
      (ppm, offset) => {
        const drift = new Drift();
        for (let at = 0; at <= 200 * SECOND; at += SECOND / 5) {
          // Delivery settles in the first seconds, then jitters by ±1 ms.
          const settling = at < 10 * SECOND ? 50_000 * Math.sin(at) : 0;
          drift.add(5e15 + at, 1.7e15 + offset + (at * ppm) / 1e6 + settling + 1000 * Math.sin(at / 7));
        }
        expect(Math.abs(drift.ppm! - ppm)).toBeLessThan(1);
      },
    ),
    { numRuns: 20 },
  );
});

test('the drift is unknown before a minute was measured', () => {
  const drift = new Drift();
  for (let at = 0; at < 74 * SECOND; at += SECOND) drift.add(at, 0);
  expect(drift.ppm).toBeNull();
});

test('the drift of a camera without sender reports is that of its PTS: 100 ppm fast', () => {
  const clock = new CaptureClock(0, 5 * SECOND);
  const drift = new Drift();
  for (let frame = 0; frame < 300 * 25; frame++) {
    const host = frame * 40_000;
    clock.observeArrival(host * (1 + 100e-6), host + 20_000 + 3_000 * Math.abs(Math.sin(frame)));
    if (frame % 5 === 0) drift.add(host, clock.aheadOfHost);
  }
  expect(Math.abs(drift.ppm! - 100)).toBeLessThan(5);
});
