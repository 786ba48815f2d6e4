import { AU_COUNT } from '../../domain/scores.ts';
import type { VivitOptions } from './architecture.ts';
import type { Ops } from './ops.ts';
import { encoderBlock, sliceNewest } from './transformer.ts';

/**
 * The factorised encoder of ViViT (Arnab et al. 2021, model 2) over RegNet features, with 1×1×1 tubelets: the
 * spatial half. One frame's tokens (n, 16, c) → its class token after the spatial encoder (n, dim).
 */
export function vivitFrame<T>(ops: Ops<T>, tokens: T, name: string, vivit: VivitOptions): T {
  const { dim } = vivit;
  const count = (ops.shape(tokens)[1] as number) + 1;
  // The class token stands first: shift the tokens by one row of zeros and add it with the positions.
  const shifted = ops.pad(ops.linear(tokens, `${name}.embed`, dim), 1, 1, 0); // n 17 dim
  const classRow = ops.pad(ops.parameter(`${name}.cls_token`, [1, 1, dim]), 1, 0, count - 1);
  const positions = ops.add(ops.parameter(`${name}.spatial_pos`, [1, count, dim]), classRow);
  let x = ops.add(shifted, positions);
  for (let layer = 0; layer < vivit.spatialLayers; layer++)
    x = encoderBlock(ops, x, `${name}.spatial.${layer}`, vivit, 'gelu');
  const classToken = ops.reshape(ops.slice(x, 1, 0, 1), [-1, dim]);
  return ops.layerNorm(classToken, `${name}.spatial_norm`);
}

/**
 * The temporal half: embeddings (b, w, dim) of a window's frames → logits (b, newest, 12) of its newest frames.
 * The head reads every temporal token, because the paper classifies frame by frame.
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
