import type { Micros } from '../../../domain/frame.ts';
import { findDepayloader, type PipelineElements, RTP_PROBE } from '../pipeline-elements.ts';
import { parsePacket, parseSessionStats, unixAtZero } from './rtcp.ts';

/** Maximum number of RTP sessions (video, audio, metadata) of a stream that are searched for the report. */
const MAX_SESSIONS = 4;

/**
 * Reads the newest sender report and the newest packet from a running pipeline. Returns Unix microseconds at running
 * time 0 by the camera's clock; null before the first report, without RTP, or if a packet arrived meanwhile.
 */
export function readUnixAtZero(pipeline: Pick<PipelineElements, 'property'>): Micros | null {
  const text = (element: string, property: string) => String(pipeline.property(element, property) ?? '');
  const depayloader = findDepayloader(pipeline);
  if (depayloader === undefined) return null;
  const before = text(RTP_PROBE, 'last-message');
  const packet = parsePacket(before, text(depayloader, 'stats'), text(RTP_PROBE, 'last-message'));
  for (let session = 0; packet !== null && session < MAX_SESSIONS; session++) {
    const stats = pipeline.property(`rtpsession${session}`, 'stats');
    if (typeof stats !== 'string') return null;
    const zero = unixAtZero(packet, parseSessionStats(stats));
    if (zero !== null) return zero;
  }
  return null;
}
