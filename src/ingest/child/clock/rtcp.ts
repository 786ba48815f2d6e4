/**
 * Capture time from RTCP sender reports (RFC 3550, 6.4.1). GStreamer's own way (`ntp-sync`) shifts the PTS, which
 * cannot become negative and so fails for cameras whose clock is slow; here what the elements tell of themselves
 * is read instead, and the PTS stays as it is:
 *
 *   session: the newest report, NTP time N of RTP time R
 *   tap and depayloader: the newest packet, PTS p and RTP time r
 *   ⇒ unix(pts) = N + (r − R)/rate − p + pts
 */

/** Seconds from 1900 (NTP) to 1970 (Unix). */
const NTP_TO_UNIX = 2_208_988_800;
/** Sessions (video, audio, metadata) of one RTSP stream that are looked through. */
export const MOST_SESSIONS = 4;
/** The report that belongs to a stream lies not further than this from the packet just seen, in seconds. */
const NEAREST_SECONDS = 120;

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

/** Sender reports in the text of a `rtpsession`'s statistics. */
export function parseSessionStats(stats: string): SenderReport[] {
  return stats
    .replaceAll('\\', '')
    .split('application/x-rtp-source-stats')
    .slice(1)
    .flatMap((source) => {
      if (!source.includes('have-sr=(boolean)true')) return [];
      const clockRate = number(source, 'clock-rate');
      const ntp = /sr-ntptime=\(guint64\)(\d+)/.exec(source)?.[1];
      const rtp = number(source, 'sr-rtptime');
      return clockRate === null || clockRate <= 0 || ntp === undefined || rtp === null
        ? []
        : [{ clockRate, ntp: BigInt(ntp), rtp }];
    });
}

/**
 * The newest packet, out of the depayloader's statistics and the tap's last message before and after those were
 * read; null before the first packet, and where another one came in between.
 */
export function parsePacket(tapBefore: string, depayStats: string, tapAfter: string): PacketTime | null {
  const clockRate = number(depayStats, 'clock_rate');
  const rtp = number(depayStats, 'timestamp');
  const time = /, pts: (\d+):(\d\d):(\d\d)\.(\d{9})/.exec(tapAfter);
  if (!clockRate || rtp === null || time === null || tapBefore !== tapAfter) return null;
  const [hours, minutes, seconds, nanos] = time.slice(1).map(Number);
  return { clockRate, rtp, pts: (hours! * 3600 + minutes! * 60 + seconds!) * 1e6 + nanos! / 1000 };
}

function number(text: string, field: string): number | null {
  const match = new RegExp(`[ ,]${field}=\\(\\w+\\)(-?\\d+)`).exec(text);
  return match ? Number(match[1]) : null;
}

/** Unix microseconds at running time 0, by the camera's clock; null where no report fits the packet. */
export function unixAtZero(packet: PacketTime, reports: readonly SenderReport[]): number | null {
  for (const report of reports) {
    if (report.clockRate !== packet.clockRate || report.ntp === 0n) continue;
    // RTP time has 32 bits and wraps around; the difference, taken as signed, does not notice.
    const ahead = ((packet.rtp - report.rtp) | 0) / packet.clockRate;
    if (Math.abs(ahead) > NEAREST_SECONDS) continue;
    const seconds = Number(report.ntp >> 32n) - NTP_TO_UNIX;
    const micros = (Number(report.ntp & 0xffff_ffffn) * 1_000_000) / 2 ** 32;
    return seconds * 1_000_000 + micros + ahead * 1_000_000 - packet.pts;
  }
  return null;
}
