import type { Pulled } from '../../../src/ingest/child/gstreamer.ts';

/** One GStreamer Data Protocol packet: 1 is a buffer, 2 are caps. */
export function gdp(type: 1 | 2, payload: Buffer, { ptsMs = 0, flags = 0 } = {}): Buffer {
  const header = Buffer.alloc(62);
  header.writeUInt16BE(type, 4);
  header.writeUInt32BE(payload.length, 6);
  header.writeBigUInt64BE(ptsMs < 0 ? 0xffff_ffff_ffff_ffffn : BigInt(ptsMs) * 1_000_000n, 10);
  header.writeUInt16BE(flags, 42);
  return Buffer.concat([header, payload]);
}

/** A buffer of one black I420 frame, with its caps in the streamheader. A negative PTS is none. */
export function pulledFrame(ptsMs: number, { width = 64, height = 48, flags = 0, fps = 25 } = {}): Pulled {
  const caps = `video/x-raw, width=(int)${width}, height=(int)${height}, framerate=(fraction)${fps}/1, format=(string)I420, colorimetry=(string)bt709\0`;
  return {
    bytes: gdp(1, Buffer.alloc((width * height * 3) / 2), { ptsMs, flags }),
    streamheader: [gdp(2, Buffer.from(caps))],
  };
}
