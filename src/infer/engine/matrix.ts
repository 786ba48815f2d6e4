import type { Shape } from '../model/ops.ts';

/** Rows from … to - 1 of a matrix with `width` columns; a view. */
export function sliceRows(
  matrix: Float32Array,
  width: number,
  [from, to]: readonly [number, number],
): Float32Array {
  return matrix.subarray(from * width, to * width);
}

/** (rows, columns) → (columns, rows). */
export function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  // In tiles, so that both matrices' lines stay in the processor's cache.
  for (let top = 0; top < rows; top += CACHE_TILE)
    for (let column = 0; column < columns; column++)
      for (let row = top; row < Math.min(rows, top + CACHE_TILE); row++)
        out[column * rows + row] = matrix[row * columns + column]!;
  return out;
}

/**
 * (1, i, j) to add before a softmax: what the newest i of j positions may not see is pushed out of it. A finite
 * number, because half precision has no larger one and -∞ - -∞ is no number.
 */
export function causalMask(i: number, j: number): Float32Array {
  const mask = new Float32Array(i * j);
  for (let p = 0; p < i; p++) mask.fill(-10_000, p * j + p + j - i + 1, (p + 1) * j);
  return mask;
}

/**
 * A linear layer's weight (out, in) → 8-bit integers (in, out), symmetric, one scale per output. Steps of 1/64 rather
 * than 1/127 of the largest weight: kernels without VNNI add pairs of products in 16 bits and would saturate.
 */
export function quantizeInt8(
  weight: Float32Array,
  out: number,
  inputs: number,
): { values: Int8Array; scales: Float32Array } {
  const values = new Int8Array(weight.length);
  const scales = new Float32Array(out);
  for (let o = 0; o < out; o++) {
    const row = weight.subarray(o * inputs, (o + 1) * inputs);
    const largest = row.reduce((max, w) => Math.max(max, Math.abs(w)), 0);
    const scale = largest / INT8_LEVELS || 1;
    scales[o] = scale;
    for (let i = 0; i < inputs; i++) values[i * out + o] = Math.round(row[i]! / scale);
  }
  return { values, scales };
}

/**
 * How many neighbouring groups of a convolution make one of 16 channels: ONNX Runtime's fast convolution wants whole
 * vectors of channels, and the zeros between joined groups cost less than the slow one.
 */
export function mergeableGroups([out = 0, each = 0]: Shape, groups: number): number {
  const joined = CHANNEL_BLOCK / each;
  const fits = groups > 1 && each > 1 && out / groups === each && Number.isInteger(joined);
  return fits && groups % joined === 0 ? joined : 1;
}

/** The weight (out, in / groups, kh, kw) for `joined` groups at a time: theirs on the diagonal, zeros elsewhere. */
export function mergeGroups(
  weight: Float32Array,
  [out = 0, each = 0, height = 0, width = 0]: Shape,
  groups: number,
  joined: number,
): Float32Array {
  if (joined === 1) return weight;
  const size = each * height * width;
  const wide = new Float32Array(weight.length * joined);
  for (let o = 0; o < out; o++) {
    const place = Math.floor(o / (out / groups)) % joined;
    wide.set(weight.subarray(o * size, (o + 1) * size), (o * joined + place) * size);
  }
  return wide;
}

const CHANNEL_BLOCK = 16;
const INT8_LEVELS = 64;
const CACHE_TILE = 32;
