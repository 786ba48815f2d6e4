/** One plane of an image: bytes, row-major. */
export interface Plane {
  readonly pixels: Uint8Array;
  /** Bytes from row to row; a multiple of 4, as GStreamer lays planes out. */
  readonly stride: number;
  readonly width: number;
  readonly height: number;
}

/** Mask of bytes 0 and 2 of a 32-bit word of four pixels; after a shift by 8, of bytes 1 and 3. One addition sums two pixels. */
const EVEN_BYTES = 0x00ff00ff;

/**
 * 2×2 box filter over words of four pixels.
 *
 * @param words the plane from the first averaged pixel on
 * @param stride words from row to row of the source
 * @param width of the result, in pixels; even
 * @param height of the result, in pixels
 */
export function average2x2(words: Int32Array, stride: number, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height);
  const pairs = width >> 1;
  for (let row = 0, o = 0; row < height; row++) {
    let index = 2 * row * stride;
    for (const end = index + pairs; index < end; index++, o += 2) {
      const above = words[index]!;
      const below = words[index + stride]!;
      const sum =
        (above & EVEN_BYTES) +
        ((above >>> 8) & EVEN_BYTES) +
        (below & EVEN_BYTES) +
        ((below >>> 8) & EVEN_BYTES);
      out[o] = ((sum & 0xffff) + 2) >> 2;
      out[o + 1] = ((sum >>> 16) + 2) >> 2;
    }
  }
  return out;
}

/**
 * Box filter that averages the middle two rows of each 4×4 block; parameters as for `average2x2`, `width` of any
 * parity. Two of four rows halve the memory traffic, which dominates, and one-pixel stripes still average to grey.
 */
export function average4x4(words: Int32Array, stride: number, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height);
  for (let row = 0, o = 0; row < height; row++) {
    let index = (4 * row + 1) * stride;
    for (const end = o + width; o < end; o++, index++) {
      const above = words[index]!;
      const below = words[index + stride]!;
      const sum =
        (above & EVEN_BYTES) +
        ((above >>> 8) & EVEN_BYTES) +
        (below & EVEN_BYTES) +
        ((below >>> 8) & EVEN_BYTES);
      out[o] = ((sum & 0xffff) + (sum >>> 16) + 4) >> 3;
    }
  }
  return out;
}

/** 2×2 box filter over bytes; `width` and `height` are the result's, `stride` is the source's. */
export function halve(
  source: Uint8Array,
  stride: number,
  width: number,
  height: number,
  out: Uint8Array,
): void {
  for (let row = 0, i = 0; row < height; row++) {
    let index = 2 * row * stride;
    for (const end = i + width; i < end; i++, index += 2)
      out[i] =
        (source[index]! + source[index + 1]! + source[index + stride]! + source[index + stride + 1]! + 2) >>
        2;
  }
}
