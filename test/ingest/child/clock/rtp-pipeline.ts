/** NTP time (32.32 fixed point) of Unix microseconds. */
function toNtp(unix: number): bigint {
  const seconds = BigInt(Math.floor(unix / 1_000_000)) + 2_208_988_800n;
  const fraction = BigInt(Math.round(((unix % 1_000_000) * 2 ** 32) / 1_000_000));
  return (seconds << 32n) + fraction;
}

/** The statistics of an RTP pipeline whose newest packet has PTS 0 and RTP time 0, as GStreamer prints them. */
export function rtpPipeline() {
  let ntp: bigint | null = null;
  let pts = '0:00:00.000000000';
  return {
    /** From now on there is a sender report of RTP time 0. */
    reportUnix(unix: number): void {
      ntp = toNtp(unix);
    },
    /** The next read of the probe sees another packet. */
    packetArrives(): void {
      pts = '0:00:00.040000000';
    },
    property(element: string, name: string): unknown {
      switch (`${element}.${name}`) {
        case 'rtph264depay0.name':
          return element;
        case 'rtph264depay0.stats':
          return 'application/x-rtp-depayload-stats, clock_rate=(uint)90000, timestamp=(uint)0;';
        case 'rtp_probe.last-message':
          return `chain ******* (rtp_probe:sink) (438 bytes, dts: none, pts: ${pts}, duration: none)`;
        case 'rtpsession0.stats':
          return `application/x-rtp-session-stats, source-stats=(GValueArray)< "application/x-rtp-source-stats\\,\\ clock-rate\\=\\(int\\)90000\\,\\ have-sr\\=\\(boolean\\)${ntp !== null}\\,\\ sr-ntptime\\=\\(guint64\\)${ntp ?? 0}\\,\\ sr-rtptime\\=\\(uint\\)0\\;" >;`;
        default:
          return undefined;
      }
    },
  };
}
