import { parseGdp } from './gdp.ts';
import { parseCaps, samePicture, type VideoFormat } from './video-format.ts';

/**
 * Follows the video format of a stream. Every buffer carries it in its caps' `streamheader`: a GDP caps packet of its
 * own could be dropped by a full queue.
 */
export class FormatReader {
  #format: VideoFormat | null = null;
  /** The GDP packet that `#format` was parsed from: most buffers repeat it. */
  #capsPacket: Buffer | null = null;

  /** The newest format; null before the first one. */
  get format(): VideoFormat | null {
    return this.#format;
  }

  /** Reads one buffer's `streamheader`; true if size or colors differ from the format before. */
  read(streamheader: readonly Buffer[]): boolean {
    for (const bytes of streamheader) {
      if (this.#capsPacket?.equals(bytes)) return false;
      const packet = parseGdp(bytes);
      const format = packet?.type === 'caps' ? parseCaps(packet.caps) : null;
      if (format === null) continue;
      const changed = this.#format !== null && !samePicture(this.#format, format);
      this.#capsPacket = Buffer.from(bytes);
      this.#format = format;
      return changed;
    }
    return false;
  }
}
