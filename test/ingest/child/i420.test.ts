import { expect, test } from 'vitest';
import { viewI420 } from '../../../src/ingest/child/i420.ts';
import type { VideoFormat } from '../../../src/ingest/child/video-format.ts';

test('planes of odd sizes lie where GStreamer puts them', () => {
  const format: VideoFormat = { width: 641, height: 361, fps: 25, matrix: 'bt601', fullRange: false };
  // GstVideoInfo of 641×361 I420: strides 644, 324, 324; offsets 0, 233128, 291772; size 350416.
  const image = viewI420(
    Uint8Array.from({ length: 350_416 }, (_, index) => index % 251),
    format,
  )!;
  expect([image.strideY, image.strideC]).toEqual([644, 324]);
  expect([image.u[0], image.v[0]]).toEqual([233_128 % 251, 291_772 % 251]);
  expect(viewI420(new Uint8Array(350_415), format)).toBeNull();
  expect(viewI420(new Uint8Array(350_417), format)).toBeNull();
});
