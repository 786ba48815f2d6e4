import { describe, expect, test } from 'vitest';
import { CaptureClock } from '../../../../src/ingest/child/clock/capture-clock.ts';

const ZERO = 1_700_000_000_000_000;
const SECOND = 1_000_000;

describe('the capture time', () => {
  test('is by arrival until the camera’s clock is known, then by that clock', () => {
    const clock = new CaptureClock(ZERO, 5 * SECOND);
    expect(clock.captureTime(40_000)).toEqual({ captureTime: ZERO + 40_000, clockSource: 'arrival' });
    for (let reading = 0; reading < 5; reading++) clock.addSample(ZERO - 120_000 + reading);
    expect(clock.captureTime(40_000)).toEqual({ captureTime: ZERO - 80_000 + 2, clockSource: 'rtcp' });
    expect(clock.error).toBe(-120_000 + 2);
  });

  test('ignores single torn readings', () => {
    const clock = new CaptureClock(ZERO, 5 * SECOND);
    for (let reading = 0; reading < 5; reading++) clock.addSample(ZERO);
    for (const torn of [40_000, -40_000, 3_600 * SECOND]) {
      clock.addSample(ZERO + torn);
      expect(clock.captureTime(0).captureTime).toBe(ZERO);
      clock.addSample(ZERO);
      clock.addSample(ZERO);
    }
    expect(clock.generation).toBe(0);
  });

  test('follows a step of the camera’s clock when several readings agree, and counts it', () => {
    const clock = new CaptureClock(ZERO, 7_200 * SECOND);
    for (let reading = 0; reading < 5; reading++) clock.addSample(ZERO);
    for (let reading = 0; reading < 5; reading++) clock.addSample(ZERO + 3_600 * SECOND);
    expect(clock.generation).toBe(1);
    expect(clock.captureTime(0)).toEqual({ captureTime: ZERO + 3_600 * SECOND, clockSource: 'rtcp' });
  });

  test('ignores a clock whose error exceeds the maximum', () => {
    const clock = new CaptureClock(ZERO, 5 * SECOND);
    for (let reading = 0; reading < 5; reading++) clock.addSample(ZERO + 6 * SECOND);
    expect(clock.captureTime(0)).toEqual({ captureTime: ZERO, clockSource: 'arrival' });
  });

  test('by arrival follows the fastest arrivals without a jump, whatever the drift of the camera', () => {
    const clock = new CaptureClock(ZERO, 0);
    // An hour of a clock that is 200 ppm slow; every arrival is 30 to 200 ms late.
    const drift = 200e-6;
    let last = 0;
    let worst = 0;
    for (let frame = 0; frame < 25 * 3600; frame++) {
      const pts = frame * 40_000;
      const sent = ZERO + pts * (1 + drift);
      clock.observeArrival(pts, sent + 30_000 + ((frame * 7919) % 171) * 1000);
      const { captureTime } = clock.captureTime(pts);
      if (frame > 0) expect(Math.abs(captureTime - last - 40_000)).toBeLessThanOrEqual(40_000 * 0.0051);
      last = captureTime;
      if (pts > 60 * SECOND) worst = Math.max(worst, Math.abs(captureTime - (sent + 30_000)));
    }
    // The drift over one window of 10 s is 2 ms; the next window corrects it.
    expect(worst).toBeLessThan(6_000);
  });
});

describe('the lag of frames', () => {
  /**
   * Lag in seconds of the last frame of a 25 fps stream. By PTS: `arrival` is when a frame is received, `reported` the
   * sender reports' Unix time at PTS 0.
   */
  function lagAfter(
    seconds: number,
    arrival: (pts: number) => number,
    reported: (pts: number) => number,
  ): number {
    const clock = new CaptureClock(ZERO, 5 * SECOND);
    for (let pts = 0; ; pts += 40_000) {
      const receivedAt = ZERO + arrival(pts);
      clock.observeArrival(pts, receivedAt);
      if (pts % (5 * SECOND) === 0)
        for (let reading = 0; reading < 5; reading++) clock.addSample(ZERO + reported(pts));
      if (pts >= seconds * SECOND) return clock.lag(pts, receivedAt) / SECOND;
    }
  }

  test('is small where only RTP time runs slow and the sender reports show it', () => {
    for (const slow of [0.01, 0.05])
      expect(
        lagAfter(
          600,
          (pts) => pts * (1 + slow),
          (pts) => pts * slow,
        ),
      ).toBeLessThan(0.5);
  });

  test('grows where network or decoder carry less than is sent, whatever the clock error', () => {
    for (const clockError of [-3600, 0, 2])
      expect(
        lagAfter(
          20,
          (pts) => Math.max(pts, 2 * pts - 10 * SECOND),
          () => clockError * SECOND,
        ),
      ).toBeGreaterThan(9.5);
  });

  test('includes the lag from before the first sender reports', () => {
    const clock = new CaptureClock(ZERO, 5 * SECOND);
    for (let pts = 0; pts <= 4 * SECOND; pts += 40_000) clock.observeArrival(pts, ZERO + 2 * pts);
    for (let reading = 0; reading < 5; reading++) clock.addSample(ZERO - 3_600 * SECOND);
    clock.observeArrival(4 * SECOND, ZERO + 8 * SECOND);
    expect(clock.lag(4 * SECOND, ZERO + 8 * SECOND) / SECOND).toBeCloseTo(4, 1);
  });
});
