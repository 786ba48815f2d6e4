import type { Socket } from 'node:net';
import { AustreamError } from '../../errors.ts';

/** Bytes of one message to the host; the longest has two texts of `to-host.ts` and a stack trace. */
const MAX_LINE_BYTES = 1 << 16;
const LINE_FEED = 0x0a;

/**
 * Messages between host and camera process: lines of JSON over a socket. Node's own IPC channel is not used: it has no
 * bound on a message, and an invalid one ends the process that receives it, here the host of all cameras.
 */
export function sendLine(socket: Socket, message: object, done: () => void = () => {}): void {
  socket.write(`${JSON.stringify(message)}\n`, () => done());
}

/** Splits the bytes of a socket into messages. */
export class LineDecoder {
  readonly #maxBytes: number;
  #line: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Adds a chunk; returns the messages that it completes, parsed as JSON. Throws CAMERA_PROCESS_DIED for a line that is
   * not JSON or longer than `maxBytes`.
   */
  push(chunk: Buffer): unknown[] {
    const messages: unknown[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      messages.push(parseLine(this.#append(chunk.subarray(start, end))));
      this.#line = Buffer.alloc(0);
      start = end + 1;
    }
    this.#line = this.#append(chunk.subarray(start));
    return messages;
  }

  #append(rest: Buffer): Buffer {
    if (this.#line.length + rest.length > this.#maxBytes)
      throw new AustreamError(
        'CAMERA_PROCESS_DIED',
        `a message between camera process and host is longer than ${this.#maxBytes} bytes`,
      );
    // A copy also of a single piece: a view would keep the whole chunk.
    return Buffer.concat([this.#line, rest]);
  }
}

function parseLine(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch (cause) {
    throw new AustreamError('CAMERA_PROCESS_DIED', 'a message between camera process and host is not JSON', {
      cause,
    });
  }
}
