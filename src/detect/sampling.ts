import type { I420Image } from '../domain.ts';
import { halve, sparseMeans, spread, type Window, wholeMeans } from './blocks.ts';
import { toRgb } from './colour.ts';
import { type Similarity, scaleOf } from './geometry.ts';

/** Shrinking by less than this is bilinear even where fine drawing is wanted. */
const FINE_FROM = 1.2;

/**
 * Draws RGB pictures of regions of I420 frames, without ever converting a whole frame. Shrinking by 1.4 or more first
 * averages whole blocks of source pixels, so that each counts once; what is left, 0.7 … 1.4, is bilinear. Beyond the
 * frame's edge its border pixels repeat. Reuses its memory: one picture at a time.
 */
export class Sampler {
  readonly #fine: boolean;
  #double = new Uint8Array(0);
  #reduced = new Uint8Array(0);
  #planes: [Uint8Array, Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0), new Uint8Array(0)];

  /** `fine` shrinks by way of a picture of twice the size: crisper, at three times the cost. */
  constructor(fine = false) {
    this.#fine = fine;
  }

  /**
   * Writes a picture of width×height RGB pixels into `out` from `offset` on; `toFrame` takes a point of the picture
   * to the frame.
   */
  draw(
    image: I420Image,
    toFrame: Similarity,
    width: number,
    height: number,
    out: Uint8Array,
    offset = 0,
  ): void {
    const size = width * height;
    if (this.#planes[0].length < size)
      this.#planes = [new Uint8Array(size), new Uint8Array(size), new Uint8Array(size)];
    const [y, u, v] = this.#planes;
    // Chroma lies between luma rows and on even luma columns (MPEG's siting), so a quarter sample right of centre.
    const toChroma = {
      a: toFrame.a / 2,
      b: toFrame.b / 2,
      tx: toFrame.tx / 2 + (image.fullRange ? 0 : 0.25),
      ty: toFrame.ty / 2,
    };
    const chromaWidth = (image.width + 1) >> 1;
    const chromaHeight = (image.height + 1) >> 1;
    this.#plane(image.y, image.strideY, image.width, image.height, toFrame, width, height, y);
    this.#plane(image.u, image.strideC, chromaWidth, chromaHeight, toChroma, width, height, u);
    this.#plane(image.v, image.strideC, chromaWidth, chromaHeight, toChroma, width, height, v);
    toRgb(y, u, v, size, out, offset, image);
  }

  #plane(
    source: Uint8Array,
    stride: number,
    width: number,
    height: number,
    map: Similarity,
    outWidth: number,
    outHeight: number,
    out: Uint8Array,
  ): void {
    const zoom = scaleOf(map);
    if (this.#fine && zoom > FINE_FROM) {
      const doubled = 4 * outWidth * outHeight;
      if (this.#double.length < doubled) this.#double = new Uint8Array(doubled);
      const half = { a: map.a / 2, b: map.b / 2, tx: map.tx, ty: map.ty };
      this.#shrink(source, stride, width, height, half, 2 * outWidth, 2 * outHeight, this.#double);
      halve(this.#double, outWidth, outHeight, out);
    } else this.#shrink(source, stride, width, height, map, outWidth, outHeight, out);
  }

  #shrink(
    source: Uint8Array,
    stride: number,
    width: number,
    height: number,
    map: Similarity,
    outWidth: number,
    outHeight: number,
    out: Uint8Array,
  ): void {
    const step = Math.floor(scaleOf(map) + 0.6);
    if (step < 2) {
      interpolate(source, stride, width, height, map, outWidth, outHeight, out);
      return;
    }
    const window = reach(map, outWidth, outHeight, width, height, step);
    this.#reduce(source, stride, window, step);
    // The middle of the pixels that stand for a block need not be the block's.
    const aside = this.#sparse(step) ? (step - 1 - spread(step)) / 2 : 0;
    const shrunk = {
      a: map.a / step,
      b: map.b / step,
      tx: (map.tx - window.x + aside) / step,
      ty: (map.ty - window.y + aside) / step,
    };
    interpolate(this.#reduced, window.w, window.w, window.h, shrunk, outWidth, outHeight, out);
  }

  /** Whether four pixels stand for a block: they are all of it at 2, too few for a picture that is looked at. */
  #sparse(step: number): boolean {
    return step === 2 || (!this.#fine && step >= 4);
  }

  /** Means of step×step blocks; `window` is its origin in source pixels and its size in blocks. */
  #reduce(source: Uint8Array, stride: number, window: Window, step: number): void {
    const size = window.w * window.h;
    if (this.#reduced.length < size) this.#reduced = new Uint8Array(size);
    const means = this.#sparse(step) ? sparseMeans : wholeMeans;
    means(source, stride, window, step, this.#reduced);
  }
}

/** The blocks of the plane that a picture needs: at least one, all within the plane. */
function reach(
  map: Similarity,
  outWidth: number,
  outHeight: number,
  width: number,
  height: number,
  step: number,
): Window {
  const xs = [0, map.a * outWidth, -map.b * outHeight, map.a * outWidth - map.b * outHeight];
  const ys = [0, map.b * outWidth, map.a * outHeight, map.b * outWidth + map.a * outHeight];
  const span = (values: number[], shift: number, size: number) => {
    const from = clamp(Math.floor(Math.min(...values) + shift) - step, size - step);
    const to = clamp(Math.ceil(Math.max(...values) + shift) + step, size);
    return [from, Math.max(1, Math.floor((to - from) / step))] as const;
  };
  const [x, w] = span(xs, map.tx, width);
  const [y, h] = span(ys, map.ty, height);
  return { x, y, w, h };
}

/** Bilinear, in 16.16 fixed point. */
function interpolate(
  source: Uint8Array,
  stride: number,
  width: number,
  height: number,
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
    let x = Math.round((a * 0.5 - b * (row + 0.5) + tx - 0.5) * 65536);
    let y = Math.round((b * 0.5 + a * (row + 0.5) + ty - 0.5) * 65536);
    const lastX = x + stepX * (outWidth - 1);
    const lastY = y + stepY * (outWidth - 1);
    const end = i + outWidth;
    if (within(x, lastX, right) && within(y, lastY, bottom)) {
      for (; i < end; i++, x += stepX, y += stepY) {
        const at = (y >> 16) * stride + (x >> 16);
        const fx = (x >> 8) & 255;
        const top = (source[at]! << 8) + (source[at + 1]! - source[at]!) * fx;
        const low = (source[at + stride]! << 8) + (source[at + stride + 1]! - source[at + stride]!) * fx;
        out[i] = ((top << 8) + (low - top) * ((y >> 8) & 255) + 32768) >> 16;
      }
    } else {
      for (; i < end; i++, x += stepX, y += stepY) {
        const cx = clamp(x, right);
        const cy = clamp(y, bottom);
        const at = (cy >> 16) * stride + (cx >> 16);
        const dx = cx < right ? 1 : 0;
        const dy = cy < bottom ? stride : 0;
        const fx = (cx >> 8) & 255;
        const top = (source[at]! << 8) + (source[at + dx]! - source[at]!) * fx;
        const low = (source[at + dy]! << 8) + (source[at + dy + dx]! - source[at + dy]!) * fx;
        out[i] = ((top << 8) + (low - top) * ((cy >> 8) & 255) + 32768) >> 16;
      }
    }
  }
}

function clamp(value: number, most: number): number {
  return Math.max(0, Math.min(value, most));
}

function within(from: number, to: number, size: number): boolean {
  return from >= 0 && to >= 0 && from < size && to < size;
}
