import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CROP_BYTES, type FrameFaces } from '../../../src/domain/face.ts';
import { encodeFaces, FacesDecoder } from '../../../src/ingest/protocol/wire.ts';

const stamp = {
  cameraId: 'hall',
  epoch: 1_700_000_000_000,
  frame: 7,
  captureTime: 1_700_000_000_123_456,
  clockSource: 'rtcp' as const,
  clockErrorMs: -12,
  receivedAt: 1_700_000_000_200_000,
  interval: 40_000,
};
const quality = {
  score: 0.5,
  faceHeight: 80.25,
  sharpness: 0.3,
  yaw: -3,
  pitch: 2,
  roll: 0.1,
  detection: 0.9,
  unreliable: null,
};

function frame(number: number, crops: number): FrameFaces {
  return {
    ...stamp,
    frame: number,
    endedTracks: [number + 1],
    crops: Array.from({ length: crops }, (_, index) => ({
      ...stamp,
      frame: number,
      trackId: index + 1,
      box: { x: -1.5, y: 2, w: 30, h: 40 },
      quality,
      zones: index === 0 ? ['door', 'hall'] : [],
      pixels: new Uint8Array(CROP_BYTES).fill((number * 31 + index) % 256),
    })),
  };
}

describe('the wire format of frames', () => {
  test('frames are decoded as encoded, however the pipe splits them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 20 }),
        (cropCounts, chunkSizes) => {
          const sent = cropCounts.map((count, index) => frame(index, count));
          const bytes = Buffer.concat(sent.map(encodeFaces));
          const decoder = new FacesDecoder();
          const received: FrameFaces[] = [];
          for (let from = 0, chunk = 0; from < bytes.length; chunk++) {
            const to = from + chunkSizes[chunk % chunkSizes.length]!;
            received.push(...decoder.push(bytes.subarray(from, to)));
            from = to;
          }
          expect(received).toEqual(sent);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('frames are decoded byte by byte', () => {
    const decoder = new FacesDecoder();
    const received = [...encodeFaces(frame(1, 0))].flatMap((byte) => decoder.push(Buffer.from([byte])));
    expect(received).toEqual([frame(1, 0)]);
  });

  test('bytes that are not a frame are rejected', () => {
    expect(() => new FacesDecoder().push(Buffer.from('GStreamer-WARNING: something'))).toThrow('AUF1');
    const huge = encodeFaces(frame(1, 0));
    huge.writeUInt32LE(0xffff_ffff, 4);
    expect(() => new FacesDecoder().push(huge)).toThrow('malformed frame: 4294967295 bytes of JSON');
  });

  test('crops of another size are not encoded', () => {
    const wrong = frame(1, 1);
    const crops = wrong.crops.map((crop) => ({ ...crop, pixels: new Uint8Array(10) }));
    expect(() => encodeFaces({ ...wrong, crops })).toThrow(RangeError);
  });
});
