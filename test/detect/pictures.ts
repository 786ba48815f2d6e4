import { execFileSync } from 'node:child_process';
import type { Frame, I420Image } from '../../src/domain/frame.ts';

/** From Debian's python3-imageio: NASA's portrait of Eileen Collins, a cat, a cockatoo. */
const IMAGES = '/usr/lib/python3/dist-packages/imageio/resources/images';
export const ASTRONAUT = `${IMAGES}/astronaut.png`;
export const CAT = `${IMAGES}/chelsea.png`;
export const COCKATOO = `${IMAGES}/cockatoo.mp4`;
/** The project's own synthetic head, 640×360 at 25 fps. */
export const DEMO = new URL('../../models/demo/clip.mp4', import.meta.url).pathname;
/**
 * Face box and keypoints in the astronaut's 512×512 portrait by MediaPipe's face landmarker: the bounding box of its
 * mesh, and training's alignment keypoints (`portraits.IBUG`, `head.keypoints`).
 */
export const ASTRONAUT_FACE = {
  box: { x: 180.7, y: 71.8, w: 89.5, h: 105.6 },
  rightEye: { x: 203.74, y: 101.43 },
  leftEye: { x: 246.54, y: 103.73 },
  nose: { x: 223.68, y: 126.97 },
  mouth: { x: 223.3, y: 142.16 },
};

export type Colours = 'bt601' | 'bt709' | '1:4:16:4';

/** Rotates clockwise by `angle` radians about the centre. */
export function rotate(image: I420Image, angle: number): I420Image {
  const { width, height } = image;
  const plane = (source: Uint8Array, w: number, h: number) =>
    Uint8Array.from({ length: w * h }, (_, i) => {
      const [x, y] = [(i % w) + 0.5 - w / 2, Math.floor(i / w) + 0.5 - h / 2];
      const column = Math.floor(x * Math.cos(angle) + y * Math.sin(angle) + w / 2);
      const row = Math.floor(y * Math.cos(angle) - x * Math.sin(angle) + h / 2);
      return source[Math.min(h - 1, Math.max(0, row)) * w + Math.min(w - 1, Math.max(0, column))]!;
    });
  const [w, h] = [width / 2, height / 2];
  return { ...image, y: plane(image.y, width, height), u: plane(image.u, w, h), v: plane(image.v, w, h) };
}

/** Decodes a picture or the first frames of a clip, scaled with anti-aliasing; width is a multiple of 8, height of 2. */
export function decode(file: string, width: number, height: number, frames = 1, colours: Colours = 'bt601') {
  const bytes = runGstreamer(file, width, height, frames, `I420,colorimetry=${colours}`);
  const size = (width * height * 3) / 2;
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, i) =>
    picture(width, height, bytes.subarray(i * size, (i + 1) * size), colours),
  );
}

/** The first frame as RGB bytes (height, width, 3). */
export function decodeRgb(file: string, width: number, height: number): Uint8Array {
  return runGstreamer(file, width, height, 1, 'RGB');
}

function runGstreamer(file: string, width: number, height: number, frames: number, format: string): Buffer {
  const source = frames === 1 && file.endsWith('.png') ? 'pngdec' : 'decodebin';
  const pipe =
    `filesrc location=${file} ! ${source} ! videoscale method=bilinear2 add-borders=false ! videoconvert ! ` +
    `video/x-raw,format=${format},width=${width},height=${height},pixel-aspect-ratio=1/1 ! ` +
    `identity eos-after=${frames + 1} ! fdsink`;
  return execFileSync('gst-launch-1.0', ['-q', ...pipe.split(' ')], { maxBuffer: 1 << 30 });
}

function picture(width: number, height: number, bytes: Uint8Array, colours: Colours): I420Image {
  const luma = width * height;
  return {
    width,
    height,
    y: bytes.subarray(0, luma),
    u: bytes.subarray(luma, luma * 1.25),
    v: bytes.subarray(luma * 1.25, luma * 1.5),
    strideY: width,
    strideC: width / 2,
    fullRange: colours === '1:4:16:4',
    matrix: colours === 'bt709' ? 'bt709' : 'bt601',
  };
}

/** A frame of uniform grey. */
export function grey(width: number, height: number, luma = 110): I420Image {
  const bytes = new Uint8Array((width * height * 3) / 2).fill(128);
  return picture(width, height, bytes.fill(luma, 0, width * height), 'bt601');
}

/** `background` with `patch` pasted at (x, y), both even; the patch is clipped to the frame. */
export function paste(background: I420Image, patch: I420Image, x: number, y: number): I420Image {
  const plane = (
    name: 'y' | 'u' | 'v',
    stride: number,
    patchStride: number,
    subsampling: number,
  ): Uint8Array => {
    const [width, height] = [background.width / subsampling, background.height / subsampling];
    const out = Uint8Array.from(background[name]);
    for (let row = 0; row < patch.height / subsampling; row++) {
      const outRow = y / subsampling + row;
      if (outRow < 0 || outRow >= height) continue;
      for (let column = 0; column < patch.width / subsampling; column++) {
        const outColumn = x / subsampling + column;
        if (outColumn >= 0 && outColumn < width)
          out[outRow * stride + outColumn] = patch[name][row * patchStride + column]!;
      }
    }
    return out;
  };
  return {
    ...background,
    y: plane('y', background.strideY, patch.strideY, 1),
    u: plane('u', background.strideC, patch.strideC, 2),
    v: plane('v', background.strideC, patch.strideC, 2),
  };
}

/** The astronaut's portrait, scaled so that her face is `faceHeight` pixels high. */
export function astronaut(faceHeight: number): I420Image {
  const size = 8 * Math.round((512 * faceHeight) / ASTRONAUT_FACE.box.h / 8);
  return decode(ASTRONAUT, size, size)[0]!;
}

/** A frame of camera `cam` at 25 fps. */
export function frame(image: I420Image, number: number, more: Partial<Frame> = {}): Frame {
  return {
    cameraId: 'cam',
    epoch: 0,
    frame: number,
    captureTime: number * 40_000,
    clockSource: 'file',
    clockErrorMs: null,
    receivedAt: 0,
    interval: 40_000,
    image,
    corrupt: false,
    ...more,
  };
}
