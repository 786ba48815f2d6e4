import { expect, test } from 'vitest';
import { describeClock, measureClock } from '../../src/onvif/clock.ts';

test('a clock reported in whole seconds is measured within half a second plus half the round trip', () => {
  const xml = '<tt:UTCDateTime>';
  expect(measureClock(new Date(10_000), xml, 9_000, 9_200)).toEqual({ offsetMs: 1_400, errorMs: 600 });
  expect(measureClock(new Date(10_000), '<tt:LocalDateTime>', 9_000, 9_200)).toBeNull();
  expect(measureClock(new Date(Number.NaN), xml, 9_000, 9_200)).toBeNull();
});

test.each([
  [3_600_200, '3600.2 s ahead of this host’s (± 0.5 s)'],
  [-90_000, '90.0 s behind this host’s (± 0.5 s)'],
  [-500, 'right within 0.5 s'],
])('an offset of %d ms is %s', (offsetMs, text) => {
  expect(describeClock({ offsetMs, errorMs: 500 })).toBe(text);
});
