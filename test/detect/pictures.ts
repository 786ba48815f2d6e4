import { execFileSync } from 'node:child_process';
import type { Frame, I420Image } from '../../src/domain/frame.ts';

/** Debian's python3-imageio brings these: NASA's portrait of Eileen Collins, a cat, a cockatoo. */
const IMAGES = '/usr/lib/python3/dist-packages/imageio/resources/images';
export const ASTRONAUT = `${IMAGES}/astronaut.png`;
export const CAT = `${IMAGES}/chelsea.png`;
export const COCKATOO = `${IMAGES}/cockatoo.mp4`;
/** The project's own synthetic head, 640×360 at 25 fps. */
export const DEMO = new URL('../../models/demo/clip.mp4', import.meta.url).pathname;
/**
 * The astronaut's face in her 512×512 portrait as MediaPipe's face landmarker sees it: the box around its mesh, and
 * the keypoints that the training aligns by (its `portraits.IBUG` and `head.keypoints`).
 */
export const ASTRONAUT_FACE = {
  box: { x: 180.7, y: 71.8, w: 89.5, h: 105.6 },
  rightEye: { x: 203.74, y: 101.43 },
  leftEye: { x: 246.54, y: 103.73 },
  nose: { x: 223.68, y: 126.97 },
  mouth: { x: 223.3, y: 142.16 },
};

export type Colours = 'bt601' | 'bt709' | '1:4:16:4';

/** Clockwise turn in radians, about the middle. */
export function turned(image: I420Image, angle: number): I420Image {
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

/** Decodes a picture or a clip's first frames, scaled (anti-aliased) to width×height, multiples of 8 and 2. */
export function decode(file: string, width: number, height: number, frames = 1, colours: Colours = 'bt601') {
  const bytes = launch(file, width, height, frames, `I420,colorimetry=${colours}`);
  const size = (width * height * 3) / 2;
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, i) =>
    picture(width, height, bytes.subarray(i * size, (i + 1) * size), colours),
  );
}

/** One frame as RGB bytes. */
export function decodeRgb(file: string, width: number, height: number): Uint8Array {
  return launch(file, width, height, 1, 'RGB');
}

function launch(file: string, width: number, height: number, frames: number, format: string): Buffer {
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

/** A frame of one grey. */
export function grey(width: number, height: number, luma = 110): I420Image {
  const bytes = new Uint8Array((width * height * 3) / 2).fill(128);
  return picture(width, height, bytes.fill(luma, 0, width * height), 'bt601');
}

/** `under` with `over` laid on it, its corner at (x, y), both even; what reaches past the edge is cut off. */
export function paste(under: I420Image, over: I420Image, x: number, y: number): I420Image {
  const plane = (name: 'y' | 'u' | 'v', [from, to]: readonly [number, number], half: number): Uint8Array => {
    const [width, height] = [under.width / half, under.height / half];
    const out = Uint8Array.from(under[name]);
    for (let row = 0; row < over.height / half; row++) {
      const line = y / half + row;
      if (line < 0 || line >= height) continue;
      for (let column = 0; column < over.width / half; column++) {
        const at = x / half + column;
        if (at >= 0 && at < width) out[line * from + at] = over[name][row * to + column]!;
      }
    }
    return out;
  };
  return {
    ...under,
    y: plane('y', [under.strideY, over.strideY], 1),
    u: plane('u', [under.strideC, over.strideC], 2),
    v: plane('v', [under.strideC, over.strideC], 2),
  };
}

/** The astronaut, shrunk so that her face is `faceHeight` pixels high. */
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
