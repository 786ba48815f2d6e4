/**
 * Capture time from RTCP sender reports (RFC 3550, 6.4.1). GStreamer's `ntp-sync` shifts the PTS, which cannot be
 * negative, and so fails for cameras whose clock is slow. Here the elements' statistics are parsed instead, and the PTS
 * stays as it is:
 *
 *   rtpsession: the newest report, NTP time N at RTP time R
 *   probe and depayloader: the newest packet, PTS p at RTP time r
 *   ⇒ unix(pts) = N + (r − R)/rate − p + pts
 */

/** Seconds from 1900 (NTP) to 1970 (Unix). */
const NTP_TO_UNIX = 2_208_988_800;
/** A report belongs to the stream only if it is within this many seconds of the newest packet. */
const MAX_REPORT_DISTANCE_SECONDS = 120;

interface SenderReport {
  readonly clockRate: number;
  /** NTP time, 32.32 fixed point. */
  readonly ntp: bigint;
  readonly rtp: number;
}

interface PacketTime {
  readonly clockRate: number;
  readonly rtp: number;
  /** Running time in microseconds. */
  readonly pts: number;
}

/** Parses the sender reports in the statistics of an `rtpsession`. */
export function parseSessionStats(stats: string): SenderReport[] {
  return stats
    .replaceAll('\\', '')
    .split('application/x-rtp-source-stats')
    .slice(1)
    .flatMap((source) => {
      if (!source.includes('have-sr=(boolean)true')) return [];
      const clockRate = parseField(source, 'clock-rate');
      const ntp = /sr-ntptime=\(guint64\)(\d+)/.exec(source)?.[1];
      const rtp = parseField(source, 'sr-rtptime');
      return clockRate === null || clockRate <= 0 || ntp === undefined || rtp === null
        ? []
        : [{ clockRate, ntp: BigInt(ntp), rtp }];
    });
}

/**
 * Parses the newest packet's times from the depayloader's statistics and the probe's last message before and after
 * those were read. Null before the first packet, or if another packet arrived in between.
 */
export function parsePacket(probeBefore: string, depayStats: string, probeAfter: string): PacketTime | null {
  const clockRate = parseField(depayStats, 'clock_rate');
  const rtp = parseField(depayStats, 'timestamp');
  const time = /, pts: (\d+):(\d\d):(\d\d)\.(\d{9})/.exec(probeAfter);
  if (!clockRate || rtp === null || time === null || probeBefore !== probeAfter) return null;
  const [hours, minutes, seconds, nanos] = time.slice(1).map(Number);
  return { clockRate, rtp, pts: (hours! * 3600 + minutes! * 60 + seconds!) * 1e6 + nanos! / 1000 };
}

/** Unix microseconds at running time 0, by the camera's clock; null if no report belongs to the packet. */
export function unixAtZero(packet: PacketTime, reports: readonly SenderReport[]): number | null {
  for (const report of reports) {
    if (report.clockRate !== packet.clockRate || report.ntp === 0n) continue;
    // RTP time has 32 bits and wraps around; a signed 32-bit difference is right across the wrap-around.
    const distance = ((packet.rtp - report.rtp) | 0) / packet.clockRate;
    if (Math.abs(distance) > MAX_REPORT_DISTANCE_SECONDS) continue;
    const seconds = Number(report.ntp >> 32n) - NTP_TO_UNIX;
    const micros = (Number(report.ntp & 0xffff_ffffn) * 1_000_000) / 2 ** 32;
    return seconds * 1_000_000 + micros + distance * 1_000_000 - packet.pts;
  }
  return null;
}

function parseField(text: string, field: string): number | null {
  const match = new RegExp(`[ ,]${field}=\\(\\w+\\)(-?\\d+)`).exec(text);
  return match ? Number(match[1]) : null;
}
