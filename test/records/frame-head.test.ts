import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecordEncoder } from '../../src/records/avro.ts';
import { decodeFrameHead } from '../../src/records/frame-head.ts';
import { anyFrame, frameNumber } from './samples.ts';

const encoder = new RecordEncoder('AuFrame');
const START = encoder.header.length;

test('the head of a frame is read without the rest', () => {
  fc.assert(
    fc.property(anyFrame, (frame) => {
      const { eventId, cameraId, epoch, trackId, frame: number, ...rest } = frame;
      const { captureTime, clockSource, clockErrorMs, receivedAt } = rest;
      expect(decodeFrameHead(encoder.encode(frame), START)).toEqual({
        ...{ eventId, cameraId, epoch, trackId, frame: number },
        ...{ captureTime, clockSource, clockErrorMs, receivedAt },
      });
    }),
  );
});

test('what is cut short, or no frame, has no head', () => {
  const message = encoder.encode(frameNumber(1));
  expect(decodeFrameHead(message.subarray(0, START + 20), START)).toBeNull();
  expect(decodeFrameHead(Buffer.alloc(100, 0xff), 0)).toBeNull();
});
