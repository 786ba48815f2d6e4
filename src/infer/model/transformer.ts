import type { Ops } from './ops.ts';

/** Sizes of one Transformer block. */
export interface BlockOptions {
  readonly heads: number;
  readonly mlp: number;
}

/**
 * Pre-norm encoder block: x + attention(norm x), then x + fc2(act(fc1(norm x))). (n, s, d) → (n, newest, d), computing
 * only the newest positions; default all.
 */
export function encoderBlock<T>(
  ops: Ops<T>,
  x: T,
  name: string,
  { heads, mlp }: BlockOptions,
  act: 'gelu' | 'relu',
  newest = sequenceLength(ops, x),
): T {
  const y = selfAttention(ops, x, name, heads, false, newest);
  return feedForward(ops, y, name, 'norm2', mlp, act);
}

/**
 * Pre-norm decoder block: causal self-attention, cross-attention to `memory` (n, m, d), feed-forward. (n, s, d) →
 * (n, newest, d).
 */
export function decoderBlock<T>(
  ops: Ops<T>,
  x: T,
  memory: T,
  name: string,
  { heads, mlp }: BlockOptions,
  newest = sequenceLength(ops, x),
): T {
  const d = ops.shape(x)[2] as number;
  let y = selfAttention(ops, x, name, heads, true, newest);
  const q = ops.linear(ops.layerNorm(y, `${name}.norm2`), `${name}.cross.q`, d);
  const kv = ops.linear(memory, `${name}.cross.kv`, 2 * d);
  const attended = ops.attention(q, ops.slice(kv, 2, 0, d), ops.slice(kv, 2, d, 2 * d), heads);
  y = ops.add(y, ops.linear(attended, `${name}.cross.proj`, d));
  return feedForward(ops, y, name, 'norm3', mlp, 'relu');
}

/** (n, s, d) → its newest positions (n, newest, d). */
export function sliceNewest<T>(ops: Ops<T>, x: T, newest: number): T {
  const s = sequenceLength(ops, x);
  return newest === s ? x : ops.slice(x, 1, s - newest, s);
}

function selfAttention<T>(
  ops: Ops<T>,
  x: T,
  name: string,
  heads: number,
  causal: boolean,
  newest: number,
): T {
  const d = ops.shape(x)[2] as number;
  const normed = ops.layerNorm(x, `${name}.norm1`);
  let q: T;
  let kv: T;
  if (newest === sequenceLength(ops, x)) {
    const qkv = ops.linear(normed, `${name}.attn.qkv`, 3 * d);
    q = ops.slice(qkv, 2, 0, d);
    kv = ops.slice(qkv, 2, d, 3 * d);
  } else {
    q = ops.linear(sliceNewest(ops, normed, newest), `${name}.attn.qkv`, 3 * d, [0, d]);
    kv = ops.linear(normed, `${name}.attn.qkv`, 3 * d, [d, 3 * d]);
  }
  const attended = ops.attention(q, ops.slice(kv, 2, 0, d), ops.slice(kv, 2, d, 2 * d), heads, causal);
  return ops.add(sliceNewest(ops, x, newest), ops.linear(attended, `${name}.attn.proj`, d));
}

function feedForward<T>(ops: Ops<T>, x: T, name: string, norm: string, mlp: number, act: 'gelu' | 'relu'): T {
  const d = ops.shape(x)[2] as number;
  const hidden = ops[act](ops.linear(ops.layerNorm(x, `${name}.${norm}`), `${name}.fc1`, mlp));
  return ops.add(x, ops.linear(hidden, `${name}.fc2`, d));
}

function sequenceLength<T>(ops: Ops<T>, x: T): number {
  return ops.shape(x)[1] as number;
}
