import { AU_COUNT } from '../../domain/scores.ts';
import type { VivitOptions } from './architecture.ts';
import type { Ops } from './ops.ts';
import { encoderBlock, sliceNewest } from './transformer.ts';

/**
 * Spatial encoder of ViViT's factorised encoder (Arnab et al. 2021, model 2) over RegNet features with 1×1×1 tubelets:
 * tokens of one frame (n, 16, c) → its class token (n, dim).
 */
export function vivitFrame<T>(ops: Ops<T>, tokens: T, name: string, vivit: VivitOptions): T {
  const { dim } = vivit;
  const count = (ops.shape(tokens)[1] as number) + 1;
  // Prepend the class token: pad the tokens with one zero position in front, then add class token and positions.
  const padded = ops.pad(ops.linear(tokens, `${name}.embed`, dim), 1, 1, 0); // n 17 dim
  const classToken = ops.pad(ops.parameter(`${name}.cls_token`, [1, 1, dim]), 1, 0, count - 1);
  const positions = ops.add(ops.parameter(`${name}.spatial_pos`, [1, count, dim]), classToken);
  let x = ops.add(padded, positions);
  for (let layer = 0; layer < vivit.spatialLayers; layer++)
    x = encoderBlock(ops, x, `${name}.spatial.${layer}`, vivit, 'gelu');
  const encoded = ops.reshape(ops.slice(x, 1, 0, 1), [-1, dim]);
  return ops.layerNorm(encoded, `${name}.spatial_norm`);
}

/**
 * Temporal encoder of ViViT's factorised encoder: embeddings (b, w, dim) of a window → logits (b, newest, 12) of its
 * newest frames. The head classifies every temporal token, since the paper scores each frame (Vu et al. 2023).
 */
export function vivitWindow<T>(
  ops: Ops<T>,
  embeddings: T,
  name: string,
  vivit: VivitOptions,
  newest: number,
): T {
  const window = ops.shape(embeddings)[1] as number;
  let x = ops.add(embeddings, ops.parameter(`${name}.temporal_pos`, [1, window, vivit.dim]));
  for (let layer = 0; layer < vivit.temporalLayers; layer++) {
    const last = layer === vivit.temporalLayers - 1;
    x = encoderBlock(ops, x, `${name}.temporal.${layer}`, vivit, 'gelu', last ? newest : window);
  }
  return ops.linear(
    ops.layerNorm(sliceNewest(ops, x, newest), `${name}.temporal_norm`),
    `${name}.head`,
    AU_COUNT,
  );
}
