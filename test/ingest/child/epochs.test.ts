import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ClockReading } from '../../../src/ingest/child/clock/frame-clock.ts';
import { Epochs } from '../../../src/ingest/child/epochs.ts';

const START = Date.UTC(2026, 0, 1);
const SECOND = 1_000_000;

beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const reading = (captureTime: number, other: Partial<ClockReading> = {}): ClockReading => ({
  captureTime,
  clockSource: 'arrival',
  generation: 0,
  hostClockStepped: false,
  ...other,
});

/** Live epochs after a first frame at one second. */
function begun(first: Partial<ClockReading> = {}): Epochs {
  const epochs = new Epochs(0, true);
  epochs.observeClock(reading(SECOND, first));
  epochs.begin();
  epochs.advance(SECOND);
  return epochs;
}

describe('an epoch begins', () => {
  test('with the first frame', () => {
    expect(new Epochs(0, true).pendingCause).toBe('first_frame');
    expect(begun().pendingCause).toBeNull();
  });

  test.each<[string, Partial<ClockReading>, ClockReading]>([
    ['clock_source_changed', {}, reading(1.04 * SECOND, { clockSource: 'rtcp' })],
    ['clock_source_changed', { clockSource: 'rtcp', generation: 1 }, reading(1.04 * SECOND)],
    [
      'clock_stepped',
      { clockSource: 'rtcp' },
      reading(1.04 * SECOND, { clockSource: 'rtcp', generation: 1 }),
    ],
    ['clock_stepped', {}, reading(1.04 * SECOND, { hostClockStepped: true })],
    ['clock_stepped', {}, reading(0.4 * SECOND)],
  ])('%s', (cause, first, second) => {
    const epochs = begun(first);
    epochs.observeClock(second);
    expect(epochs.pendingCause).toBe(cause);
  });

  test('with the first of several causes, once', () => {
    const epochs = begun();
    epochs.formatChanged();
    epochs.observeClock(reading(1.04 * SECOND, { clockSource: 'rtcp' }));
    expect(epochs.pendingCause).toBe('format_changed');
    epochs.begin();
    epochs.observeClock(reading(1.08 * SECOND, { clockSource: 'rtcp' }));
    expect(epochs.pendingCause).toBeNull();
  });
});

describe('no epoch begins', () => {
  test.each<[string, Partial<ClockReading>, ClockReading]>([
    ['where capture times jitter backwards', {}, reading(0.6 * SECOND)],
    [
      'where the host clock is set and the camera’s clock is used',
      { clockSource: 'rtcp' },
      reading(1.04 * SECOND, { clockSource: 'rtcp', hostClockStepped: true }),
    ],
  ])('%s', (_, first, second) => {
    const epochs = begun(first);
    epochs.observeClock(second);
    expect(epochs.pendingCause).toBeNull();
  });

  test('where the times of a file go back', () => {
    const epochs = new Epochs(-1, false);
    epochs.begin();
    epochs.advance(60 * SECOND);
    epochs.observeClock(reading(0, { clockSource: 'file' }));
    expect(epochs.pendingCause).toBeNull();
  });
});

test('epochs are numbered one by one from the one that the host has chosen, whatever the clock shows', () => {
  const epochs = new Epochs(START - 1, true);
  epochs.begin();
  expect(epochs.number).toBe(START);
  vi.setSystemTime(START - 60_000);
  epochs.begin();
  vi.setSystemTime(START + 60_000);
  epochs.begin();
  expect(epochs.number).toBe(START + 2);
});

test('the epochs of a file are 0, 1, 2 …', () => {
  const epochs = new Epochs(-1, false);
  const numbers = [1, 2, 3].map(() => {
    epochs.begin();
    return epochs.number;
  });
  expect(numbers).toEqual([0, 1, 2]);
});

test('capture times are strictly increasing within an epoch', () => {
  const epochs = begun();
  expect([1.04, 1.02, 1.02, 1.08].map((time) => epochs.advance(time * SECOND))).toEqual([
    1_040_000, 1_040_001, 1_040_002, 1_080_000,
  ]);
  epochs.begin();
  expect(epochs.advance(0.5 * SECOND)).toBe(500_000);
});
