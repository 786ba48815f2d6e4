/** One RTSP request or response (RFC 2326, 4). Texts hold one byte per character (Latin-1), as they came. */
export interface RtspMessage {
  /** Request line or status line. */
  readonly start: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** The values of all headers with this name, in order. */
export function headerValues({ headers }: RtspMessage, name: string): string[] {
  return headers.filter(([other]) => isName(other, name)).map(([, value]) => value);
}

/** The message with this header once, or without it (`null`). */
export function withHeader(message: RtspMessage, name: string, value: string | null): RtspMessage {
  const others = message.headers.filter(([other]) => !isName(other, name));
  return { ...message, headers: value === null ? others : [...others, [name, value]] };
}

/** The message with this body and its length. */
export function withBody(message: RtspMessage, body: Buffer): RtspMessage {
  return { ...withHeader(message, 'Content-Length', String(body.length)), body };
}

/** The status code of a response; null for a request. */
export function statusOf({ start }: RtspMessage): number | null {
  const status = /^RTSP\/\d\.\d (\d{3})/.exec(start)?.[1];
  return status === undefined ? null : Number(status);
}

export function encodeMessage({ start, headers, body }: RtspMessage): Buffer {
  const lines = [start, ...headers.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}

function isName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
