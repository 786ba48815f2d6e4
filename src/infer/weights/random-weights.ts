import { createHash } from 'node:crypto';
import type { Shape, Weights } from '../model/ops.ts';
import { elementCount } from '../model/shapes.ts';

/**
 * Deterministic random weights: any preset runs without a checkpoint, for benchmarks and for comparison with PyTorch
 * (training/austream_training/golden.py computes the same values, bit by bit).
 *
 * Value i of tensor `name`: u = uniform(fnv1a(name), i) in −1 … 1, then
 *   weights of two or more dimensions   u · √(3 / fan in), convolutions of the backbone u · √(6 / fan in)
 *   batch norm's running_var            1 + u / 2
 *   norms' weight                       1 + u / 10; (1 + u / 10) / 4 for the last of a residual block
 *   `frequency`, `cls_token`, `*_pos`   u
 *   everything else                     u / 10
 */
export const randomWeights: Weights = {
  sha256: createHash('sha256').update('formula 1').digest('hex'),
  read(name: string, shape: Shape): Float32Array {
    const { scale, shift } = initRange(name, shape);
    const values = new Float32Array(elementCount(shape));
    const next = uniformSequence(name);
    for (let i = 0; i < values.length; i++) values[i] = shift + next(i) * scale;
    return values;
  },
};

/** `count` uniform numbers in −1 … 1 − 2⁻²³, determined by `name`. */
export function uniform(name: string, count: number): Float32Array {
  const next = uniformSequence(name);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = next(i);
  return values;
}

/**
 * Counter-based generator of the sequence `name`: the function returns number i, exact in fp32. Hash: lowbias32
 * (Wellons, "Prospecting for Hash Functions", 2018), seeded with FNV-1a of the name.
 */
function uniformSequence(name: string): (i: number) => number {
  let seed = 0x811c9dc5; // FNV-1a
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  return (i) => {
    let x = (seed + Math.imul(i, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x ^= x >>> 16;
    return (x >>> 8) / 2 ** 23 - 1;
  };
}

/** Values of a tensor are shift + u · scale. */
function initRange(name: string, shape: Shape): { scale: number; shift: number } {
  if (/frequency$|cls_token$|_pos$/.test(name)) return { scale: 1, shift: 0 };
  if (name.endsWith('running_var')) return { scale: 0.5, shift: 1 };
  if (name.endsWith('conv3.bn.weight')) return { scale: 0.025, shift: 0.25 };
  if (shape.length > 1) {
    const fanIn = elementCount(shape) / shape[0]!;
    return { scale: Math.sqrt((shape.length === 4 ? 6 : 3) / fanIn), shift: 0 };
  }
  if (/(bn|norm\d?|_norm)\.weight$/.test(name)) return { scale: 0.1, shift: 1 };
  return { scale: 0.1, shift: 0 };
}
