import type { I420Image } from '../domain/frame.ts';

/** Contribution of each byte value of a plane to a colour channel, 256 entries in 16.16 fixed point. */
interface ConversionTables {
  readonly luma: Int32Array;
  readonly redV: Int32Array;
  readonly greenU: Int32Array;
  readonly greenV: Int32Array;
  readonly blueU: Int32Array;
}

const tablesByFormat = new Map<string, ConversionTables>();

/**
 * Converts Y′CbCr (ITU-R BT.601 or BT.709, limited or full range) to RGB: writes (height, width, 3) bytes into `out`
 * from byte `offset` on. `width` is even.
 *
 * @param subsampled whether `u` and `v` are (height/2, width/2) as in 4:2:0, and not (height, width) as in 4:4:4
 */
export function yuvToRgb(
  { y, u, v }: { y: Uint8Array; u: Uint8Array; v: Uint8Array },
  width: number,
  height: number,
  subsampled: boolean,
  out: Uint8Array,
  offset: number,
  format: Pick<I420Image, 'matrix' | 'fullRange'>,
): void {
  const { luma, redV, greenU, greenV, blueU } = conversionTables(format);
  const rgb = new Uint8ClampedArray(out.buffer, out.byteOffset + offset, width * height * 3);
  const shift = subsampled ? 1 : 0;
  for (let row = 0, i = 0, o = 0; row < height; row++) {
    const chromaRow = (row >> shift) * (width >> shift);
    for (let column = 0; column < width; column++, i++, o += 3) {
      const c = chromaRow + (column >> shift);
      const l = luma[y[i]!]!;
      const cb = u[c]!;
      const cr = v[c]!;
      rgb[o] = (l + redV[cr]!) >> 16;
      rgb[o + 1] = (l + greenU[cb]! + greenV[cr]!) >> 16;
      rgb[o + 2] = (l + blueU[cb]!) >> 16;
    }
  }
}

function conversionTables({ matrix, fullRange }: Pick<I420Image, 'matrix' | 'fullRange'>): ConversionTables {
  const key = `${matrix} ${fullRange}`;
  let tables = tablesByFormat.get(key);
  if (!tables) {
    tables = buildTables(matrix, fullRange);
    tablesByFormat.set(key, tables);
  }
  return tables;
}

function buildTables(matrix: I420Image['matrix'], fullRange: boolean): ConversionTables {
  const [kr, kb] = matrix === 'bt709' ? [0.2126, 0.0722] : [0.299, 0.114];
  const kg = 1 - kr - kb;
  const black = fullRange ? 0 : 16;
  const luma = fullRange ? 1 : 255 / 219;
  const chroma = fullRange ? 1 : 255 / 224;
  const red = 2 * (1 - kr) * chroma;
  const blue = 2 * (1 - kb) * chroma;
  const table = (contribution: (value: number) => number) =>
    Int32Array.from({ length: 256 }, (_, value) => Math.round(contribution(value) * 65536));
  return {
    // The added 0.5 makes `>> 16` round to nearest.
    luma: table((value) => (value - black) * luma + 0.5),
    redV: table((value) => (value - 128) * red),
    greenU: table((value) => ((128 - value) * blue * kb) / kg),
    greenV: table((value) => ((128 - value) * red * kr) / kg),
    blueU: table((value) => (value - 128) * blue),
  };
}
