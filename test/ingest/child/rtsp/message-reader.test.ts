import { describe, expect, test } from 'vitest';
import { encodeMessage } from '../../../../src/ingest/child/rtsp/message.ts';
import { RtspReader } from '../../../../src/ingest/child/rtsp/message-reader.ts';

const RESPONSE = 'RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 3\r\n\r\nabc';

function frame(length: number): Buffer {
  return Buffer.concat([Buffer.from([0x24, 0, length >> 8, length & 0xff]), Buffer.alloc(length, 7)]);
}

/** What a reader makes of the bytes, in pieces of this size. */
function read(bytes: Buffer, piece = bytes.length): { texts: string[]; frameBytes: number } {
  const reader = new RtspReader();
  const texts: string[] = [];
  let frameBytes = 0;
  for (let at = 0; at < bytes.length; at += piece)
    for (const part of reader.push(bytes.subarray(at, at + piece)))
      if ('message' in part) texts.push(encodeMessage(part.message).toString('latin1'));
      else frameBytes += part.frames.length;
  return { texts, frameBytes };
}

describe('an RTSP connection', () => {
  const bytes = Buffer.concat([
    frame(700),
    Buffer.from(RESPONSE),
    frame(0),
    frame(1_400),
    Buffer.from(RESPONSE),
  ]);

  test.each([1, 2, 3, 5, 64, 1_000, bytes.length])('is read in pieces of %i bytes', (piece) => {
    expect(read(bytes, piece)).toEqual({ texts: [RESPONSE, RESPONSE], frameBytes: 700 + 1_400 + 12 });
  });

  test('is found again after bytes that are no RTSP', () => {
    const { texts } = read(Buffer.concat([Buffer.from('\x01\x02 what?\n'), Buffer.from(RESPONSE)]));
    expect(texts).toEqual([RESPONSE]);
  });

  test.each([
    ['a header without an end', `RTSP/1.0 200 OK\r\n${'X: y\r\n'.repeat(20_000)}`],
    ['a body of a terabyte', 'RTSP/1.0 200 OK\r\nContent-Length: 1099511627776\r\n\r\n'],
    ['a body of a negative length', 'RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['two megabytes of something else', '\x01'.repeat(2 ** 21)],
  ])('with %s is given up', (_, text) => {
    expect(() => read(Buffer.from(text), 65_536)).toThrow(/the camera sends/);
  });
});

// What GStreamer would read otherwise than the proxy would pass its checks unseen.
test.each([
  ['a length that only JavaScript reads', 'RTSP/1.0 200 OK\r\nContent-Length: 1e1\r\n\r\n0123456789'],
  ['a hexadecimal length', 'RTSP/1.0 200 OK\r\nContent-Length: 0x2\r\n\r\n01'],
  ['two lengths', 'RTSP/1.0 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\n01'],
  ['a header after a lone CR', 'RTSP/1.0 200 OK\r\nX: 1\rLocation: rtsp://evil/\r\n\r\n'],
  ['a NUL', 'RTSP/1.0 200 OK\r\nX: 1\0\r\n\r\n'],
])('%s is refused', (_, text) => {
  expect(() => new RtspReader().push(Buffer.from(text, 'latin1'))).toThrow(
    expect.objectContaining({ code: 'CAMERA_STREAM_FAILED' }),
  );
});
