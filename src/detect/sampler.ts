import type { I420Image } from '../domain/frame.ts';
import { halve, type Plane } from './area-averaging.ts';
import { downscale, type PlaneRect } from './downscale.ts';
import { type Similarity, scaleOf } from './geometry.ts';
import { yuvToRgb } from './yuv-to-rgb.ts';

/** Downscaling by less than this is plain bilinear even with supersampling. */
const SUPERSAMPLE_FROM = 1.2;

/** After block averaging the bilinear step still scales by this much to twice this much. */
const MIN_BILINEAR_SCALE = 0.84;

/**
 * Samples RGB pictures of regions of I420 frames; no whole frame is converted.
 *
 * Downscaling by 1.7 or more first averages blocks of source pixels (edge: a power of two), which prevents aliasing; the
 * rest is bilinear. Samples outside the frame clamp to its edge. Scratch memory is reused: one call at a time.
 */
export class Sampler {
  readonly #supersampled: boolean;
  #doubleSize = new Uint8Array(0);
  #planes = { y: new Uint8Array(0), u: new Uint8Array(0), v: new Uint8Array(0) };

  /**
   * @param supersampled samples luma at twice the size and averages 2×2, and chroma at full size: sharper, at three
   *   times the cost. Otherwise 2×2 pixels share one chroma sample, as in the frame.
   */
  constructor(supersampled = false) {
    this.#supersampled = supersampled;
  }

  /**
   * Writes (height, width, 3) RGB bytes into `out` from byte `offset` on. `width` and `height` are even.
   *
   * @param toFrame similarity from picture to frame coordinates
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
    const subsampling = this.#supersampled ? 1 : 2;
    // MPEG chroma siting: between luma rows, on even luma columns; a quarter chroma sample right of the centre.
    const toChroma = {
      a: (toFrame.a * subsampling) / 2,
      b: (toFrame.b * subsampling) / 2,
      tx: toFrame.tx / 2 + (image.fullRange ? 0 : 0.25),
      ty: toFrame.ty / 2,
    };
    const luma = { pixels: image.y, stride: image.strideY, width: image.width, height: image.height };
    const chroma = {
      stride: image.strideC,
      width: (image.width + 1) >> 1,
      height: (image.height + 1) >> 1,
    };
    if (this.#supersampled && scaleOf(toFrame) > SUPERSAMPLE_FROM)
      this.#supersample(luma, toFrame, width, height, y);
    else samplePlane(luma, toFrame, width, height, y);
    samplePlane({ ...chroma, pixels: image.u }, toChroma, width / subsampling, height / subsampling, u);
    samplePlane({ ...chroma, pixels: image.v }, toChroma, width / subsampling, height / subsampling, v);
    yuvToRgb(this.#planes, width, height, !this.#supersampled, out, offset, image);
  }

  #supersample(plane: Plane, toPlane: Similarity, width: number, height: number, out: Uint8Array): void {
    const size = 4 * width * height;
    if (this.#doubleSize.length < size) this.#doubleSize = new Uint8Array(size);
    const half = { ...toPlane, a: toPlane.a / 2, b: toPlane.b / 2 };
    samplePlane(plane, half, 2 * width, 2 * height, this.#doubleSize);
    halve(this.#doubleSize, 2 * width, width, height, out);
  }
}

/** Block averaging by the largest power of two that the scale allows, then bilinear. `toPlane`: from picture to plane. */
function samplePlane(
  plane: Plane,
  toPlane: Similarity,
  width: number,
  height: number,
  out: Uint8Array,
): void {
  // A block must fit into very flat and narrow planes; up to 3 pixels lie before the first aligned word.
  const maxStep = plane.width < 8 ? 1 : Math.min(plane.height, plane.width - 3);
  const step = 2 ** Math.floor(Math.log2(Math.min(scaleOf(toPlane) / MIN_BILINEAR_SCALE, maxStep)));
  if (step < 2) {
    sampleBilinear(plane, toPlane, width, height, out);
    return;
  }
  const level = downscale(plane, coveredRect(toPlane, width, height, step), step);
  const toLevel = {
    a: toPlane.a / step,
    b: toPlane.b / step,
    tx: (toPlane.tx - level.x) / step,
    ty: (toPlane.ty - level.y) / step,
  };
  sampleBilinear(level, toLevel, width, height, out);
}

/** Bounds of what a picture of width×height covers in the plane, with a margin for interpolation. */
function coveredRect({ a, b, tx, ty }: Similarity, width: number, height: number, margin: number): PlaneRect {
  const xs = [0, a * width, -b * height, a * width - b * height];
  const ys = [0, b * width, a * height, b * width + a * height];
  return {
    left: Math.min(...xs) + tx - margin,
    right: Math.max(...xs) + tx + margin,
    top: Math.min(...ys) + ty - margin,
    bottom: Math.max(...ys) + ty + margin,
  };
}

/** Bilinear sampling in 16.16 fixed point; coordinates outside the plane clamp to its edge. */
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
      // The whole row is inside the plane: no clamping.
      for (; i < end; i++, x = (x + stepX) | 0, y = (y + stepY) | 0) {
        const index = Math.imul(y >> 16, stride) + (x >> 16);
        const fx = (x >> 8) & 255;
        const fy = (y >> 8) & 255;
        const above = Math.imul(source[index]!, 256 - fx) + Math.imul(source[index + 1]!, fx);
        const below =
          Math.imul(source[index + stride]!, 256 - fx) + Math.imul(source[index + stride + 1]!, fx);
        out[i] = (Math.imul(above, 256 - fy) + Math.imul(below, fy) + 32768) >>> 16;
      }
    } else {
      for (; i < end; i++, x = (x + stepX) | 0, y = (y + stepY) | 0) {
        const cx = Math.max(0, Math.min(x, right));
        const cy = Math.max(0, Math.min(y, bottom));
        const index = Math.imul(cy >> 16, stride) + (cx >> 16);
        const dx = cx < right ? 1 : 0;
        const belowIndex = cy < bottom ? index + stride : index;
        const fx = (cx >> 8) & 255;
        const fy = (cy >> 8) & 255;
        const above = Math.imul(source[index]!, 256 - fx) + Math.imul(source[index + dx]!, fx);
        const below = Math.imul(source[belowIndex]!, 256 - fx) + Math.imul(source[belowIndex + dx]!, fx);
        out[i] = (Math.imul(above, 256 - fy) + Math.imul(below, fy) + 32768) >>> 16;
      }
    }
  }
}

function isInside(from: number, to: number, size: number): boolean {
  return from >= 0 && to >= 0 && from < size && to < size;
}
