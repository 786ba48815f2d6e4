import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { wallMicros } from '../../../../src/clock.ts';
import { LiveClock } from '../../../../src/ingest/child/clock/live-clock.ts';
import { rtpPipeline } from './rtp-pipeline.ts';

const START = Date.UTC(2026, 0, 1);
const SECOND = 1_000_000;

beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['Date', 'performance'] });
  vi.advanceTimersByTime(1_000);
});
afterEach(() => {
  vi.useRealTimers();
});

/** A clock whose pipeline starts now. */
function started(pipeline = rtpPipeline(), maxClockErrorSeconds = 5): LiveClock {
  const clock = new LiveClock(pipeline, { maxClockErrorSeconds, maxAgeSeconds: 1 });
  clock.start(wallMicros());
  return clock;
}

/** Reads 25 frames per second, one every `msPerFrame`; returns the last reading. */
function play(clock: LiveClock, frames: number, { from = 0, msPerFrame = 40 } = {}) {
  let last = clock.read(from * 40_000, wallMicros());
  for (let frame = from + 1; frame < from + frames; frame++) {
    vi.advanceTimersByTime(msPerFrame);
    last = clock.read(frame * 40_000, wallMicros());
  }
  return last;
}

describe('a live clock', () => {
  test('is by arrival without sender reports', () => {
    const clock = started();
    const reading = play(clock, 50);
    expect(reading).toEqual({
      captureTime: Date.now() * 1000,
      clockSource: 'arrival',
      generation: 0,
      hostClockStepped: false,
    });
    expect(clock.report.clockErrorMs).toBeNull();
  });

  test('is by sender reports after several readings, and reports the clock error', () => {
    const pipeline = rtpPipeline();
    const clock = started(pipeline);
    pipeline.reportUnix(Date.now() * 1000 + 2 * SECOND);
    const reading = play(clock, 50);
    expect(reading.clockSource).toBe('rtcp');
    expect(reading.captureTime).toBe(Date.now() * 1000 + 2 * SECOND);
    expect(clock.report.clockErrorMs).toBe(2_000);
  });

  test('does not read sender reports where the maximum clock error is 0', () => {
    const pipeline = rtpPipeline();
    pipeline.reportUnix(Date.now() * 1000);
    const property = vi.spyOn(pipeline, 'property');
    expect(play(started(pipeline, 0), 50).clockSource).toBe('arrival');
    expect(property).not.toHaveBeenCalled();
  });

  test('is lagging once frames have been too late for three seconds', () => {
    const clock = started();
    play(clock, 25);
    expect(clock.lagging).toBe(false);
    // At half of real time the lag exceeds the maximum of 1 s after 2 s.
    play(clock, 50, { from: 25, msPerFrame: 80 });
    expect(clock.lagging).toBe(false);
    play(clock, 30, { from: 75, msPerFrame: 80 });
    expect(clock.lagging).toBe(true);
  });

  test.each([3_600_000, -3_600_000])('follows a host clock that is set by %d ms', (step) => {
    const clock = started();
    play(clock, 25);
    vi.setSystemTime(Date.now() + step);
    const stepped = clock.read(25 * 40_000, wallMicros() + 40_000);
    expect(stepped.hostClockStepped).toBe(true);
    expect(Math.abs(stepped.captureTime - Date.now() * 1000)).toBeLessThan(SECOND);
    expect(play(clock, 25, { from: 26 }).hostClockStepped).toBe(false);
    expect(clock.lagging).toBe(false);
  });

  test('restarts the drift measurement in each epoch', () => {
    const clock = started();
    play(clock, 25 * 90);
    expect(clock.report.driftPpm).toBeCloseTo(0, 1);
    clock.beginEpoch();
    expect(clock.report.driftPpm).toBeNull();
  });
});
