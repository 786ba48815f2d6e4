import type { I420Image } from '../domain.ts';

/** ITU-R BT.601 or BT.709, limited or full range, to RGB. */
export function toRgb(
  y: Uint8Array,
  u: Uint8Array,
  v: Uint8Array,
  size: number,
  out: Uint8Array,
  offset: number,
  { matrix, fullRange }: I420Image,
): void {
  const [kr, kb] = matrix === 'bt709' ? [0.2126, 0.0722] : [0.299, 0.114];
  const kg = 1 - kr - kb;
  const black = fullRange ? 0 : 16;
  const luma = fullRange ? 1 : 255 / 219;
  const chroma = fullRange ? 1 : 255 / 224;
  const red = 2 * (1 - kr) * chroma;
  const blue = 2 * (1 - kb) * chroma;
  const greenU = (blue * kb) / kg;
  const greenV = (red * kr) / kg;
  const rgb = new Uint8ClampedArray(out.buffer, out.byteOffset + offset, size * 3);
  for (let i = 0, o = 0; i < size; i++, o += 3) {
    const l = (y[i]! - black) * luma;
    const cb = u[i]! - 128;
    const cr = v[i]! - 128;
    rgb[o] = l + red * cr;
    rgb[o + 1] = l - greenU * cb - greenV * cr;
    rgb[o + 2] = l + blue * cb;
  }
}
