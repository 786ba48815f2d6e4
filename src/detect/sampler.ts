import type { I420Image } from '../domain/frame.ts';
import { halve, type Plane } from './area-averaging.ts';
import { yuvToRgb } from './yuv-to-rgb.ts';
import { type Similarity, scaleOf } from './geometry.ts';
import { type PlaneRect, downscale } from './downscale.ts';

/** Shrinking by less than this is bilinear even where fine drawing is wanted. */
const SUPERSAMPLE_FROM = 1.2;

/** What blocks leave to bilinear shrinking is from this to twice this. */
const MIN_BILINEAR_SCALE = 0.84;

/**
 * Draws RGB pictures of regions of I420 frames, without ever converting a whole frame. Shrinking by 1.7 or more first
 * averages blocks of source pixels, as large as a power of two, so that each counts; what is left is bilinear. Beyond the
 * frame's edge its border pixels repeat. Reuses its memory: one picture at a time.
 */
export class Sampler {
  readonly #supersampled: boolean;
  #doubleSize = new Uint8Array(0);
  #planes = { y: new Uint8Array(0), u: new Uint8Array(0), v: new Uint8Array(0) };

  /**
   * `fine` shrinks by way of a picture of twice the size, and draws all colour there is: crisper, at three times the
   * cost. Otherwise 2×2 pixels share one colour, as they do in the frame.
   */
  constructor(fine = false) {
    this.#supersampled = fine;
  }

  /**
   * Writes a picture of width×height RGB pixels into `out` from `offset` on; `toFrame` takes a point of the picture
   * to the frame. Width and height are even.
   */
  sample(
    image: I420Image,
    toFrame: Similarity,
    width: number,
    height: number,
    out: Uint8Array,
    offset = 0,
  ): void {
    const size = width * height;
    if (this.#planes.y.length < size)
      this.#planes = { y: new Uint8Array(size), u: new Uint8Array(size), v: new Uint8Array(size) };
    const { y, u, v } = this.#planes;
    const share = this.#supersampled ? 1 : 2;
    // Chroma lies between luma rows and on even luma columns (MPEG's siting), so a quarter sample right of centre.
    const toChroma = {
      a: (toFrame.a * share) / 2,
      b: (toFrame.b * share) / 2,
      tx: toFrame.tx / 2 + (image.fullRange ? 0 : 0.25),
      ty: toFrame.ty / 2,
    };
    const luma = { pixels: image.y, stride: image.strideY, width: image.width, height: image.height };
    const chroma = {
      stride: image.strideC,
      width: (image.width + 1) >> 1,
      height: (image.height + 1) >> 1,
    };
    if (this.#supersampled && scaleOf(toFrame) > SUPERSAMPLE_FROM) this.#supersample(luma, toFrame, width, height, y);
    else samplePlane(luma, toFrame, width, height, y);
    samplePlane({ ...chroma, pixels: image.u }, toChroma, width / share, height / share, u);
    samplePlane({ ...chroma, pixels: image.v }, toChroma, width / share, height / share, v);
    yuvToRgb(this.#planes, width, height, !this.#supersampled, out, offset, image);
  }

  #supersample(plane: Plane, map: Similarity, width: number, height: number, out: Uint8Array): void {
    const doubled = 4 * width * height;
    if (this.#doubleSize.length < doubled) this.#doubleSize = new Uint8Array(doubled);
    const half = { a: map.a / 2, b: map.b / 2, tx: map.tx, ty: map.ty };
    samplePlane(plane, half, 2 * width, 2 * height, this.#doubleSize);
    halve(this.#doubleSize, 2 * width, width, height, out);
  }
}

function samplePlane(plane: Plane, map: Similarity, width: number, height: number, out: Uint8Array): void {
  // Not larger than a very flat or narrow plane, of which a block begins with a whole word.
  const room = plane.width < 8 ? 1 : Math.min(plane.height, plane.width - 3);
  const step = 2 ** Math.floor(Math.log2(Math.min(scaleOf(map) / MIN_BILINEAR_SCALE, room)));
  if (step < 2) {
    sampleBilinear(plane, map, width, height, out);
    return;
  }
  const reduced = downscale(plane, coveredRect(map, width, height, step), step);
  const shrunk = {
    a: map.a / step,
    b: map.b / step,
    tx: (map.tx - reduced.x) / step,
    ty: (map.ty - reduced.y) / step,
  };
  sampleBilinear(reduced, shrunk, width, height, out);
}

/** What a picture covers, with a margin for interpolation. */
function coveredRect(map: Similarity, width: number, height: number, margin: number): PlaneRect {
  const xs = [0, map.a * width, -map.b * height, map.a * width - map.b * height];
  const ys = [0, map.b * width, map.a * height, map.b * width + map.a * height];
  return {
    left: Math.min(...xs) + map.tx - margin,
    right: Math.max(...xs) + map.tx + margin,
    top: Math.min(...ys) + map.ty - margin,
    bottom: Math.max(...ys) + map.ty + margin,
  };
}

/** Bilinear, in 16.16 fixed point. */
function sampleBilinear(
  { pixels: source, stride, width, height }: Plane,
  { a, b, tx, ty }: Similarity,
  outWidth: number,
  outHeight: number,
  out: Uint8Array,
): void {
  const right = (width - 1) << 16;
  const bottom = (height - 1) << 16;
  const stepX = Math.round(a * 65536);
  const stepY = Math.round(b * 65536);
  for (let row = 0, i = 0; row < outHeight; row++) {
    let x = Math.round((a * 0.5 - b * (row + 0.5) + tx - 0.5) * 65536) | 0;
    let y = Math.round((b * 0.5 + a * (row + 0.5) + ty - 0.5) * 65536) | 0;
    const lastX = x + stepX * (outWidth - 1);
    const lastY = y + stepY * (outWidth - 1);
    const end = i + outWidth;
    if (isInside(x, lastX, right) && isInside(y, lastY, bottom)) {
      for (; i < end; i++, x = (x + stepX) | 0, y = (y + stepY) | 0) {
        const at = Math.imul(y >> 16, stride) + (x >> 16);
        const fx = (x >> 8) & 255;
        const fy = (y >> 8) & 255;
        const top = Math.imul(source[at]!, 256 - fx) + Math.imul(source[at + 1]!, fx);
        const low = Math.imul(source[at + stride]!, 256 - fx) + Math.imul(source[at + stride + 1]!, fx);
        out[i] = (Math.imul(top, 256 - fy) + Math.imul(low, fy) + 32768) >>> 16;
      }
    } else {
      for (; i < end; i++, x = (x + stepX) | 0, y = (y + stepY) | 0) {
        const cx = Math.max(0, Math.min(x, right));
        const cy = Math.max(0, Math.min(y, bottom));
        const at = Math.imul(cy >> 16, stride) + (cx >> 16);
        const dx = cx < right ? 1 : 0;
        const under = cy < bottom ? at + stride : at;
        const fx = (cx >> 8) & 255;
        const fy = (cy >> 8) & 255;
        const top = Math.imul(source[at]!, 256 - fx) + Math.imul(source[at + dx]!, fx);
        const low = Math.imul(source[under]!, 256 - fx) + Math.imul(source[under + dx]!, fx);
        out[i] = (Math.imul(top, 256 - fy) + Math.imul(low, fy) + 32768) >>> 16;
      }
    }
  }
}

function isInside(from: number, to: number, size: number): boolean {
  return from >= 0 && to >= 0 && from < size && to < size;
}
