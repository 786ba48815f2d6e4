/** The blocks of a plane that a picture needs: origin in source pixels, size in blocks. */
export interface Window {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** Of all pixels of each block. */
export function wholeMeans(
  source: Uint8Array,
  stride: number,
  { x, y, w, h }: Window,
  step: number,
  out: Uint8Array,
): void {
  const scale = 1 / (step * step);
  for (let row = 0, o = 0; row < h; row++) {
    let from = (y + row * step) * stride + x;
    for (const end = o + w; o < end; o++, from += step) {
      let sum = 0;
      for (let k = 0, line = from; k < step; k++, line += stride)
        for (let i = line, last = line + step; i < last; i++) sum += source[i]!;
      out[o] = sum * scale + 0.5;
    }
  }
}

/** Distance of the two columns, and rows, of a block that are read where not all are: odd, and about half of it. */
export function spread(step: number): number {
  return 2 * Math.floor(step / 4) + 1;
}

/**
 * Of four pixels of each block, one of each parity of row and column, so that the finest stripes and chessboards
 * still become grey: good enough for networks, at a fraction of the reads.
 */
export function sparseMeans(
  source: Uint8Array,
  stride: number,
  { x, y, w, h }: Window,
  step: number,
  out: Uint8Array,
): void {
  const right = spread(step);
  const down = right * stride;
  for (let row = 0, o = 0; row < h; row++) {
    let at = (y + row * step) * stride + x;
    for (const end = o + w; o < end; o++, at += step)
      out[o] = (source[at]! + source[at + right]! + source[at + down]! + source[at + down + right]! + 2) >> 2;
  }
}

/** Means of 2×2 pixels. */
export function halve(source: Uint8Array, width: number, height: number, out: Uint8Array): void {
  const stride = 2 * width;
  for (let row = 0, i = 0; row < height; row++) {
    let at = 2 * row * stride;
    for (const end = i + width; i < end; i++, at += 2)
      out[i] = (source[at]! + source[at + 1]! + source[at + stride]! + source[at + stride + 1]! + 2) >> 2;
  }
}
