import type { Pipeline } from './gstreamer.ts';

/** `identity` in front of the depayloader: its last message holds the PTS of the newest RTP packet. */
export const RTP_PROBE = 'rtp_probe';
/** `identity` behind the decoder: its statistics count the decoded frames. */
export const DECODED_PROBE = 'decoded';

/** What is read from a running pipeline. */
export type PipelineElements = Pick<Pipeline, 'property' | 'set'>;

/** Elements that decodebin makes, by codec. There is one pipeline per process, so their names end in 0. */
const DEPAYLOADERS = { h264: 'rtph264depay0', h265: 'rtph265depay0', mjpeg: 'rtpjpegdepay0' } as const;
const PARSERS = { h264: 'h264parse0', h265: 'h265parse0', mjpeg: 'jpegparse0' } as const;

/** The name of the depayloader; undefined for sources without RTP. */
export function findDepayloader(pipeline: Pick<PipelineElements, 'property'>): string | undefined {
  return Object.values(DEPAYLOADERS).find((name) => pipeline.property(name, 'name'));
}

/** The codec by the depayloader or parser in use; null for any other codec. */
export function findCodec(pipeline: Pick<PipelineElements, 'property'>): string | null {
  const elements = [...Object.entries(DEPAYLOADERS), ...Object.entries(PARSERS)];
  return elements.find(([, name]) => pipeline.property(name, 'name'))?.[0] ?? null;
}
