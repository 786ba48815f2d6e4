import { describe, expect, test } from 'vitest';
import { CaptureClock } from '../../../../src/ingest/child/clock/capture-clock.ts';
import { parsePacket, parseSessionStats, unixAtZero } from '../../../../src/ingest/child/clock/rtcp.ts';

const ZERO = 1_700_000_000_000_000;
const SECOND = 1_000_000;

describe('capture time', () => {
  test('is arrival until the camera’s clock is known, then that clock', () => {
    const clock = new CaptureClock(ZERO, 5 * SECOND);
    expect(clock.at(40_000)).toEqual({ captureTime: ZERO + 40_000, clockSource: 'arrival' });
    for (let reading = 0; reading < 5; reading++) clock.sample(ZERO - 120_000 + reading);
    expect(clock.at(40_000)).toEqual({ captureTime: ZERO - 80_000 + 2, clockSource: 'rtcp' });
    expect(clock.error).toBe(-120_000 + 2);
  });

  test('does not follow single readings that are torn', () => {
    const clock = new CaptureClock(ZERO, 5 * SECOND);
    for (let reading = 0; reading < 5; reading++) clock.sample(ZERO);
    for (const torn of [40_000, -40_000, 3_600 * SECOND]) {
      clock.sample(ZERO + torn);
      expect(clock.at(0).captureTime).toBe(ZERO);
      clock.sample(ZERO);
      clock.sample(ZERO);
    }
    expect(clock.generation).toBe(0);
  });

  test('follows a step of the camera’s clock when readings agree, and says that there was one', () => {
    const clock = new CaptureClock(ZERO, 7_200 * SECOND);
    for (let reading = 0; reading < 5; reading++) clock.sample(ZERO);
    for (let reading = 0; reading < 5; reading++) clock.sample(ZERO + 3_600 * SECOND);
    expect(clock.generation).toBe(1);
    expect(clock.at(0)).toEqual({ captureTime: ZERO + 3_600 * SECOND, clockSource: 'rtcp' });
  });

  test('does not believe a clock that is off by more than allowed', () => {
    const clock = new CaptureClock(ZERO, 5 * SECOND);
    for (let reading = 0; reading < 5; reading++) clock.sample(ZERO + 6 * SECOND);
    expect(clock.at(0)).toEqual({ captureTime: ZERO, clockSource: 'arrival' });
  });

  test('by arrival follows the fastest deliveries, without a jump, whatever the crystal of the camera', () => {
    const clock = new CaptureClock(ZERO, 0);
    // 200 parts in a million slow, every delivery 30 to 200 ms late, an hour long.
    const drift = 200e-6;
    let last = 0;
    let worst = 0;
    for (let frame = 0; frame < 25 * 3600; frame++) {
      const pts = frame * 40_000;
      const sent = ZERO + pts * (1 + drift);
      clock.delivered(pts, sent + 30_000 + ((frame * 7919) % 171) * 1000);
      const { captureTime } = clock.at(pts);
      if (frame > 0) expect(Math.abs(captureTime - last - 40_000)).toBeLessThanOrEqual(40_000 * 0.0051);
      last = captureTime;
      if (pts > 60 * SECOND) worst = Math.max(worst, Math.abs(captureTime - (sent + 30_000)));
    }
    // Drift over one window of 10 s is 2 ms; it is corrected in the next.
    expect(worst).toBeLessThan(6_000);
  });
});

describe('frames come late', () => {
  /** Lag of the last frame, of one each 40 ms of the camera's; `come`: when they come, `reported`: at RTP time 0. */
  function lagAfter(
    seconds: number,
    come: (sent: number) => number,
    reported: (sent: number) => number,
  ): number {
    const clock = new CaptureClock(ZERO, 5 * SECOND);
    for (let pts = 0; ; pts += 40_000) {
      const taken = come(pts);
      clock.delivered(pts, ZERO + taken);
      if (pts % (5 * SECOND) === 0)
        for (let reading = 0; reading < 5; reading++) clock.sample(ZERO + reported(pts));
      if (pts >= seconds * SECOND) return clock.lag(pts, ZERO + taken) / SECOND;
    }
  }

  test('only by RTP time that runs slow: not where sender reports tell so', () => {
    for (const slow of [0.01, 0.05])
      expect(
        lagAfter(
          600,
          (pts) => pts * (1 + slow),
          (pts) => pts * slow,
        ),
      ).toBeLessThan(0.5);
  });

  test('by a network or a decoder that carries less than is sent, whatever the camera’s clock', () => {
    for (const ahead of [-3600, 0, 2])
      expect(
        lagAfter(
          20,
          (pts) => Math.max(pts, 2 * pts - 10 * SECOND),
          () => ahead * SECOND,
        ),
      ).toBeGreaterThan(9.5);
  });

  test('also while reports are not known yet', () => {
    const clock = new CaptureClock(ZERO, 5 * SECOND);
    for (let pts = 0; pts <= 4 * SECOND; pts += 40_000) clock.delivered(pts, ZERO + 2 * pts);
    for (let reading = 0; reading < 5; reading++) clock.sample(ZERO - 3_600 * SECOND);
    clock.delivered(4 * SECOND, ZERO + 8 * SECOND);
    expect(clock.lag(4 * SECOND, ZERO + 8 * SECOND) / SECOND).toBeCloseTo(4, 1);
  });
});

describe('RTCP sender reports', () => {
  const session = (ntp: bigint, rtp: number, clockRate = 90_000) =>
    `application/x-rtp-session-stats, rtx-drop-count=(uint)0, source-stats=(GValueArray)< "application/x-rtp-source-stats\\,\\ ssrc\\=\\(uint\\)1\\,\\ clock-rate\\=\\(int\\)-1\\,\\ have-sr\\=\\(boolean\\)false\\,\\ sr-ntptime\\=\\(guint64\\)0\\,\\ sr-rtptime\\=\\(uint\\)0\\;", "application/x-rtp-source-stats\\,\\ ssrc\\=\\(uint\\)2\\,\\ clock-rate\\=\\(int\\)${clockRate}\\,\\ have-sr\\=\\(boolean\\)true\\,\\ sr-ntptime\\=\\(guint64\\)${ntp}\\,\\ sr-rtptime\\=\\(uint\\)${rtp}\\;" >;`;
  const depay = (rtp: number) =>
    `application/x-rtp-depayload-stats, clock_rate=(uint)90000, npt-start=(guint64)0, running-time-pts=(guint64)18446744073709551615, seqnum=(uint)2815, timestamp=(uint)${rtp};`;
  const tap = (pts: string) =>
    `chain   ******* (tap:sink) (438 bytes, dts: none, pts: ${pts}, duration: none, offset: -1, flags: 00004000) 0x7f`;
  /** 2023-11-14 22:13:20.5 UTC. */
  const ntp = ((1_700_000_000n + 2_208_988_800n) << 32n) + (1n << 31n);

  test('tell the time of a packet', () => {
    const packet = parsePacket(tap('0:00:02.000000000'), depay(1_090_000), tap('0:00:02.000000000'))!;
    const [report] = parseSessionStats(session(ntp, 1_000_000));
    expect(unixAtZero(packet, [report!])).toBeCloseTo(1_700_000_000.5e6 + 1e6 - 2e6, 0);
  });

  test('do so across the wrap-around of RTP time', () => {
    const packet = parsePacket(tap('1:00:00.000000000'), depay(45_000), tap('1:00:00.000000000'))!;
    const reports = parseSessionStats(session(ntp, 2 ** 32 - 45_000));
    expect(unixAtZero(packet, reports)).toBeCloseTo(1_700_000_000.5e6 + 1e6 - 3_600e6, 0);
  });

  test('of another stream (sound) or of long ago do not count', () => {
    const packet = parsePacket(tap('0:00:02.000000000'), depay(1_090_000), tap('0:00:02.000000000'))!;
    expect(unixAtZero(packet, parseSessionStats(session(ntp, 1_000_000, 8_000)))).toBeNull();
    expect(unixAtZero(packet, parseSessionStats(session(ntp, 500_000_000)))).toBeNull();
    expect(unixAtZero(packet, [])).toBeNull();
  });

  test('are not matched with a packet that changed while it was read', () => {
    expect(parsePacket(tap('0:00:02.000000000'), depay(1), tap('0:00:02.040000000'))).toBeNull();
    expect(parsePacket('', '', '')).toBeNull();
  });
});
