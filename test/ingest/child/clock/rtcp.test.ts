import { describe, expect, test } from 'vitest';
import { parsePacket, parseSessionStats, unixAtZero } from '../../../../src/ingest/child/clock/rtcp.ts';

describe('RTCP sender reports', () => {
  const session = (ntp: bigint, rtp: number, clockRate = 90_000) =>
    `application/x-rtp-session-stats, rtx-drop-count=(uint)0, source-stats=(GValueArray)< "application/x-rtp-source-stats\\,\\ ssrc\\=\\(uint\\)1\\,\\ clock-rate\\=\\(int\\)-1\\,\\ have-sr\\=\\(boolean\\)false\\,\\ sr-ntptime\\=\\(guint64\\)0\\,\\ sr-rtptime\\=\\(uint\\)0\\;", "application/x-rtp-source-stats\\,\\ ssrc\\=\\(uint\\)2\\,\\ clock-rate\\=\\(int\\)${clockRate}\\,\\ have-sr\\=\\(boolean\\)true\\,\\ sr-ntptime\\=\\(guint64\\)${ntp}\\,\\ sr-rtptime\\=\\(uint\\)${rtp}\\;" >;`;
  const depay = (rtp: number) =>
    `application/x-rtp-depayload-stats, clock_rate=(uint)90000, npt-start=(guint64)0, running-time-pts=(guint64)18446744073709551615, seqnum=(uint)2815, timestamp=(uint)${rtp};`;
  const probe = (pts: string) =>
    `chain   ******* (rtp_probe:sink) (438 bytes, dts: none, pts: ${pts}, duration: none, offset: -1, flags: 00004000) 0x7f`;
  /** 2023-11-14 22:13:20.5 UTC. */
  const ntp = ((1_700_000_000n + 2_208_988_800n) << 32n) + (1n << 31n);

  test('give the capture time of a packet', () => {
    const packet = parsePacket(probe('0:00:02.000000000'), depay(1_090_000), probe('0:00:02.000000000'))!;
    const [report] = parseSessionStats(session(ntp, 1_000_000));
    expect(unixAtZero(packet, [report!])).toBeCloseTo(1_700_000_000.5e6 + 1e6 - 2e6, 0);
  });

  test('do so across the wrap-around of RTP time', () => {
    const packet = parsePacket(probe('1:00:00.000000000'), depay(45_000), probe('1:00:00.000000000'))!;
    const reports = parseSessionStats(session(ntp, 2 ** 32 - 45_000));
    expect(unixAtZero(packet, reports)).toBeCloseTo(1_700_000_000.5e6 + 1e6 - 3_600e6, 0);
  });

  test('of another stream (audio) or from long ago are ignored', () => {
    const packet = parsePacket(probe('0:00:02.000000000'), depay(1_090_000), probe('0:00:02.000000000'))!;
    expect(unixAtZero(packet, parseSessionStats(session(ntp, 1_000_000, 8_000)))).toBeNull();
    expect(unixAtZero(packet, parseSessionStats(session(ntp, 500_000_000)))).toBeNull();
    expect(unixAtZero(packet, [])).toBeNull();
  });

  test('are not matched with a packet when another arrived during the read', () => {
    expect(parsePacket(probe('0:00:02.000000000'), depay(1), probe('0:00:02.040000000'))).toBeNull();
    expect(parsePacket('', '', '')).toBeNull();
  });
});
