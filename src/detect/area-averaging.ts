/** A plane of a picture: bytes, row by row. */
export interface Plane {
  readonly pixels: Uint8Array;
  /** A multiple of 4, as GStreamer lays planes out. */
  readonly stride: number;
  readonly width: number;
  readonly height: number;
}

/** Bytes 0 and 2 of a word of four pixels; shifted by 8, the others: two sums in one addition. */
const EVEN_BYTES = 0x00ff00ff;

/** Means of 2×2 pixels, from the first whole word of each row on; `stride` in words. */
export function average2x2(words: Int32Array, stride: number, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height);
  const pairs = width >> 1;
  for (let row = 0, o = 0; row < height; row++) {
    let at = 2 * row * stride;
    for (const end = at + pairs; at < end; at++, o += 2) {
      const above = words[at]!;
      const below = words[at + stride]!;
      const sum = (above & EVEN_BYTES) + ((above >>> 8) & EVEN_BYTES) + (below & EVEN_BYTES) + ((below >>> 8) & EVEN_BYTES);
      out[o] = ((sum & 0xffff) + 2) >> 2;
      out[o + 1] = ((sum >>> 16) + 2) >> 2;
    }
  }
  return out;
}

/**
 * Means of the middle two rows of 4×4 pixels, from the first whole word of each row on; `stride` in words. Two of four
 * rows are half the work, most of which is to wait for memory, and stripes of a pixel still become grey.
 */
export function average4x4(words: Int32Array, stride: number, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height);
  for (let row = 0, o = 0; row < height; row++) {
    let at = (4 * row + 1) * stride;
    for (const end = o + width; o < end; o++, at++) {
      const above = words[at]!;
      const below = words[at + stride]!;
      const sum = (above & EVEN_BYTES) + ((above >>> 8) & EVEN_BYTES) + (below & EVEN_BYTES) + ((below >>> 8) & EVEN_BYTES);
      out[o] = ((sum & 0xffff) + (sum >>> 16) + 4) >> 3;
    }
  }
  return out;
}

/** Means of 2×2 pixels; width and height are the result's. */
export function halve(
  source: Uint8Array,
  stride: number,
  width: number,
  height: number,
  out: Uint8Array,
): void {
  for (let row = 0, i = 0; row < height; row++) {
    let at = 2 * row * stride;
    for (const end = i + width; i < end; i++, at += 2)
      out[i] = (source[at]! + source[at + 1]! + source[at + stride]! + source[at + stride + 1]! + 2) >> 2;
  }
}
