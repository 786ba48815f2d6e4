import { Sampler } from '../../detect/sampler.ts';
import {
  CROP_BYTES,
  CROP_SIZE,
  type CropQuality,
  type FaceCrop,
  type FrameFaces,
} from '../../domain/face.ts';
import type { Frame } from '../../domain/frame.ts';
import { tileBoxes, tileGrid } from '../protocol/picture-tiles.ts';
import type { Finder } from './camera.ts';
import { runCameraChild } from './child.ts';

/** Frames of a live camera before the picture: exposure settles, and frames damaged by the start are over. */
const SETTLING_FRAMES = 5;
const UNMEASURED: CropQuality = {
  ...{ score: 0, faceHeight: 0, sharpness: 0, yaw: 0, pitch: 0, roll: 0, detection: 0 },
  unreliable: null,
};

/** Sends one whole frame as tiles instead of faces: the camera process of `austream doctor --snapshot`. */
class SnapshotFinder implements Finder {
  readonly #sampler = new Sampler(true);
  #frames = 0;
  #sent = false;

  async analyse({ image, corrupt, ...stamp }: Frame): Promise<FrameFaces> {
    this.#frames += 1;
    const settled = stamp.clockSource === 'file' || this.#frames > SETTLING_FRAMES;
    if (this.#sent || corrupt || !settled) return { ...stamp, crops: [], endedTracks: [] };
    this.#sent = true;
    const crops = tileBoxes(tileGrid(image.width, image.height)).map((box, index): FaceCrop => {
      const pixels = new Uint8Array(CROP_BYTES);
      const toFrame = { a: box.w / CROP_SIZE, b: 0, tx: box.x, ty: box.y };
      this.#sampler.sample(image, toFrame, CROP_SIZE, CROP_SIZE, pixels);
      return { ...stamp, trackId: index + 1, box, quality: UNMEASURED, zones: [], pixels };
    });
    return { ...stamp, crops, endedTracks: [] };
  }

  end(): number[] {
    return [];
  }
}

runCameraChild(async () => new SnapshotFinder());
