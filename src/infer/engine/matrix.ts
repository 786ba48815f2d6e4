import type { Shape } from '../model/ops.ts';

/** Rows from … to − 1 of a row-major matrix with `width` columns; a view. */
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
  // Tiled, so that the cache lines of both matrices stay in the CPU cache.
  for (let top = 0; top < rows; top += CACHE_TILE)
    for (let column = 0; column < columns; column++)
      for (let row = top; row < Math.min(rows, top + CACHE_TILE); row++)
        out[column * rows + row] = matrix[row * columns + column]!;
  return out;
}

/**
 * Additive causal attention mask (1, i, j): 0 where the newest i of j positions may attend, −10,000 elsewhere. Finite,
 * because fp16 ends at 65,504 and −∞ − (−∞) is NaN.
 */
export function causalMask(i: number, j: number): Float32Array {
  const mask = new Float32Array(i * j);
  for (let p = 0; p < i; p++) mask.fill(-10_000, p * j + p + j - i + 1, (p + 1) * j);
  return mask;
}

/**
 * Symmetric int8 quantization of a linear layer's weight (out, in) → values (in, out) and one scale per output channel.
 * Values span ±64, not ±127: kernels without AVX-512 VNNI add pairs of products in 16 bits and would saturate.
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
    const maxAbs = row.reduce((max, w) => Math.max(max, Math.abs(w)), 0);
    const scale = maxAbs / INT8_LEVELS || 1;
    scales[o] = scale;
    for (let i = 0; i < inputs; i++) values[i * out + o] = Math.round(row[i]! / scale);
  }
  return { values, scales };
}

/**
 * Number of adjacent groups of a grouped convolution to merge into one of 16 channels, else 1. ONNX Runtime's NCHWc
 * convolution needs whole blocks of 16 channels; the zeros between merged groups cost less than its fallback.
 */
export function mergeableGroups([out = 0, inPerGroup = 0]: Shape, groups: number): number {
  const merged = CHANNEL_BLOCK / inPerGroup;
  const fits = groups > 1 && inPerGroup > 1 && out / groups === inPerGroup && Number.isInteger(merged);
  return fits && groups % merged === 0 ? merged : 1;
}

/**
 * Block-diagonal weight (out, merged · in / groups, kh, kw) of a convolution whose groups are merged `merged` at a
 * time, from (out, in / groups, kh, kw).
 */
export function mergeGroups(
  weight: Float32Array,
  [out = 0, inPerGroup = 0, height = 0, width = 0]: Shape,
  groups: number,
  merged: number,
): Float32Array {
  if (merged === 1) return weight;
  const kernelSize = inPerGroup * height * width;
  const wide = new Float32Array(weight.length * merged);
  for (let o = 0; o < out; o++) {
    const block = Math.floor(o / (out / groups)) % merged;
    wide.set(weight.subarray(o * kernelSize, (o + 1) * kernelSize), (o * merged + block) * kernelSize);
  }
  return wide;
}

/** Channels per block of ONNX Runtime's NCHWc layout with AVX-512. */
const CHANNEL_BLOCK = 16;
const INT8_LEVELS = 64;
/** Rows per tile. */
const CACHE_TILE = 32;
