import type { DetectOptions } from '../../../src/detect/options.ts';
import { CROP_BYTES, type FrameFaces } from '../../../src/domain/face.ts';
import type { Frame } from '../../../src/domain/frame.ts';
import type { Finder } from '../../../src/ingest/child/camera.ts';

/**
 * Replaces the face finder in tests of ingest: finds one face in every frame, whose pixels begin with a checksum of the
 * luma plane (FNV-1a, 4 bytes), so that a test can identify the frame.
 */
export async function openChecksum(_options: DetectOptions, delayMs = 0): Promise<Finder> {
  return {
    async analyse({ image, corrupt, ...stamp }: Frame): Promise<FrameFaces> {
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      const pixels = new Uint8Array(CROP_BYTES);
      new DataView(pixels.buffer).setUint32(0, fnv1a(image.y), true);
      const quality = {
        score: 1,
        faceHeight: image.height,
        sharpness: 1,
        yaw: 0,
        pitch: 0,
        roll: 0,
        detection: 1,
        unreliable: corrupt ? ('corrupt_video' as const) : null,
      };
      const box = { x: 0, y: 0, w: image.width, h: image.height };
      return {
        ...stamp,
        crops: [{ ...stamp, trackId: 1, box, quality, zones: [], pixels }],
        endedTracks: [],
      };
    },
    end: () => [1],
  };
}

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c_9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return hash >>> 0;
}
