/**
 * GStreamer Data Protocol 1.0, as `gdppay` writes it. gstreamer-superficial passes on bytes only; these packets
 * carry the PTS, the flags and the caps along with the pixels.
 *
 * Header, big-endian: type at byte 4, payload length at 6, PTS in nanoseconds at 10, buffer flags at 42, payload from 62.
 */

const HEADER_BYTES = 62;
const TYPE_BUFFER = 1;
const TYPE_CAPS = 2;
/** GST_CLOCK_TIME_NONE */
const NO_TIME = 0xffff_ffff_ffff_ffffn;
/** GST_BUFFER_FLAG_CORRUPTED */
const FLAG_CORRUPTED = 1 << 8;

type GdpPacket =
  | {
      readonly type: 'buffer';
      /** Running time in microseconds; null if the decoder set none. */
      readonly pts: number | null;
      readonly corrupt: boolean;
      readonly payload: Uint8Array;
    }
  | { readonly type: 'caps'; readonly caps: string }
  | { readonly type: 'event' };

/** Parses one packet; null if the packet is incomplete. The payload is a view of them. */
export function parseGdp(bytes: Uint8Array): GdpPacket | null {
  if (bytes.byteLength < HEADER_BYTES) return null;
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const length = header.getUint32(6);
  if (bytes.byteLength < HEADER_BYTES + length) return null;
  const payload = bytes.subarray(HEADER_BYTES, HEADER_BYTES + length);
  switch (header.getUint16(4)) {
    case TYPE_BUFFER: {
      const pts = header.getBigUint64(10);
      return {
        type: 'buffer',
        pts: pts === NO_TIME ? null : Number(pts / 1000n),
        corrupt: (header.getUint16(42) & FLAG_CORRUPTED) !== 0,
        payload,
      };
    }
    case TYPE_CAPS:
      return { type: 'caps', caps: new TextDecoder().decode(payload).replace(/\0+$/, '') };
    default:
      return { type: 'event' };
  }
}
