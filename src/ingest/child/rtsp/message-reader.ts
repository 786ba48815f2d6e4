import { AustreamError } from '../../../errors.ts';
import { type RtspMessage, withBody } from './message.ts';

/** What a connection carries: messages, and binary frames with RTP or RTCP packets (RFC 2326, 10.12), as they are. */
export type RtspPart = { readonly message: RtspMessage } | { readonly frames: Buffer };

/** Far above any header of a camera. */
const MAX_HEADER_BYTES = 65_536;
/** Far above any SDP of a camera. */
const MAX_BODY_BYTES = 1_048_576;
/** A stream with this many bytes in a row that are no RTSP is given up. */
const MAX_GARBAGE_BYTES = 1_048_576;
/** `$`, channel and length. */
const FRAME_HEADER_BYTES = 4;
const DOLLAR = 0x24;
const [CR, LF] = [0x0d, 0x0a];
/** A message begins with a method or with the protocol's name. */
const MESSAGE_START = /^[A-Z_]{3,20}[ /]/;

/** Splits the bytes of one direction of an RTSP connection. Every size that the peer names is bounded before use. */
export class RtspReader {
  #pending: Buffer = Buffer.alloc(0);
  #garbage = 0;

  /** The complete parts so far; neighbouring frames are one part. Throws CAMERA_STREAM_FAILED past a bound. */
  push(chunk: Buffer): RtspPart[] {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const parts: RtspPart[] = [];
    let at = 0;
    for (;;) {
      const framesEnd = skipFrames(bytes, at);
      if (framesEnd > at) {
        parts.push({ frames: bytes.subarray(at, framesEnd) });
        this.#garbage = 0;
        at = framesEnd;
      }
      if (at >= bytes.length || bytes[at] === DOLLAR) break;
      const read = this.#readMessage(bytes.subarray(at));
      if (read === null) break;
      if (read.message) parts.push({ message: read.message });
      at += read.bytes;
    }
    this.#pending = Buffer.from(bytes.subarray(at));
    return parts;
  }

  /** The message at the beginning, or how many bytes to skip; null: more bytes are needed. */
  #readMessage(bytes: Buffer): { message?: RtspMessage; bytes: number } | null {
    if (bytes[0] === CR || bytes[0] === LF) return { bytes: 1 };
    const text = bytes.toString('latin1', 0, Math.min(bytes.length, MAX_HEADER_BYTES));
    if (!MESSAGE_START.test(text)) {
      if (bytes.length < 32 && /^[A-Z_]{1,20}$/.test(text)) return null;
      return this.#skipGarbage(bytes);
    }
    const end = /\r?\n\r?\n/.exec(text);
    if (end === null) {
      if (text.length >= MAX_HEADER_BYTES) throw tooLarge('an RTSP header', MAX_HEADER_BYTES);
      return null;
    }
    const header = text.slice(0, end.index);
    // GStreamer ends a line at a lone CR: what follows would be a header that nobody here has seen.
    if (/\0|\r(?!\n)/.test(header)) throw malformed('a control character in an RTSP header');
    const [start, ...lines] = header.split(/\r?\n/);
    const headers = lines.flatMap((line) => {
      const colon = line.indexOf(':');
      return colon < 1 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const];
    });
    const lengths = headers
      .filter(([name]) => name.toLowerCase() === 'content-length')
      .map(([, value]) => value);
    // Number also reads 1e3 and 0x10, GStreamer's atol does not: the rest of the body would be the next message.
    if (new Set(lengths).size > 1 || !/^\d{1,10}$/.test(lengths[0] ?? '0'))
      throw malformed('an invalid Content-Length');
    const length = Number(lengths[0] ?? 0);
    if (length > MAX_BODY_BYTES) throw tooLarge('an RTSP body', MAX_BODY_BYTES);
    const bodyAt = end.index + end[0].length;
    if (bytes.length < bodyAt + length) return null;
    this.#garbage = 0;
    // Two readers may disagree about lengths that contradict each other.
    const others = headers.filter(([name]) => name.toLowerCase() !== 'content-length');
    const body = Buffer.from(bytes.subarray(bodyAt, bodyAt + length));
    const message = { start: start!, headers: others, body };
    return { message: length > 0 ? withBody(message, body) : message, bytes: bodyAt + length };
  }

  /** Skips to the next byte that may begin a frame or a response. */
  #skipGarbage(bytes: Buffer): { bytes: number } {
    const starts = [bytes.indexOf(DOLLAR, 1), bytes.indexOf('RTSP/1.', 1, 'latin1')].filter((at) => at > 0);
    const skipped = starts.length > 0 ? Math.min(...starts) : bytes.length;
    this.#garbage += skipped;
    if (this.#garbage > MAX_GARBAGE_BYTES)
      throw new AustreamError('CAMERA_STREAM_FAILED', 'the camera sends something that is not RTSP');
    return { bytes: skipped };
  }
}

/** The end of the complete frames that begin at `from`. */
function skipFrames(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] === DOLLAR && at + FRAME_HEADER_BYTES <= bytes.length) {
    const end = at + FRAME_HEADER_BYTES + bytes.readUInt16BE(at + 2);
    if (end > bytes.length) break;
    at = end;
  }
  return at;
}

function malformed(what: string): AustreamError {
  return new AustreamError('CAMERA_STREAM_FAILED', `the camera sends ${what}`);
}

function tooLarge(what: string, limit: number): AustreamError {
  return new AustreamError('CAMERA_STREAM_FAILED', `the camera sends ${what} of more than ${limit} bytes`);
}
