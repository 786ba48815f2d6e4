import { AU_COUNT } from '../../domain/scores.ts';
import type { NguyenOptions } from './architecture.ts';
import type { Ops } from './ops.ts';
import { decoderBlock, encoderBlock, sliceNewest } from './transformer.ts';

/**
 * Three-branch Transformer of Nguyen et al. 2022: pooled backbone features (b, w, c) of a window → logits
 * (b, newest, 12) of its newest frames.
 */
export function nguyenWindow<T>(
  ops: Ops<T>,
  features: T,
  name: string,
  nguyen: NguyenOptions,
  newest: number,
): T {
  const [, window = 0, c = 0] = ops.shape(features);
  const head = (branch: number, x: T) =>
    ops.linear(sliceNewest(ops, x, newest), `${name}.heads.${branch}`, AU_COUNT); // b newest 12
  const fused = nguyen.outputMode === 'fused';

  // Fused, branch 3 attends to every position of branch 1. Only without fusion does branch 1 need just the newest.
  const first = seq2seq(ops, features, features, `${name}.branch1`, nguyen, fused ? window : newest);
  if (!fused) return head(0, first);

  const hidden = ops.relu(ops.linear(features, `${name}.branch2.0`, Math.floor((c * 3) / 2)));
  const second = ops.linear(hidden, `${name}.branch2.2`, c);
  const third = seq2seq(ops, second, first, `${name}.branch3`, nguyen, newest);

  const all = ops.concat([head(0, first), head(1, second), head(2, third)], 2); // b newest 36
  const mixed = ops.relu(ops.linear(all, `${name}.fusion.0`, 3 * AU_COUNT));
  return ops.linear(mixed, `${name}.fusion.2`, AU_COUNT);
}

/**
 * Pre-norm encoder-decoder Transformer with a causal decoder: source and target (b, w, c) → (b, newest, c). Positional
 * encoding: frame index / window length, times learnable frequencies (c).
 */
function seq2seq<T>(
  ops: Ops<T>,
  source: T,
  target: T,
  name: string,
  nguyen: NguyenOptions,
  newest: number,
): T {
  const [, window = 0, c = 0] = ops.shape(source);
  const index = ops.constant(
    Float32Array.from({ length: window }, (_, frame) => frame / window),
    [1, window, 1],
  );
  const position = ops.mul(index, ops.parameter(`${name}.frequency`, [c])); // 1 w c
  let memory = ops.add(source, position);
  let x = target === source ? memory : ops.add(target, position);
  for (let layer = 0; layer < nguyen.encoderLayers; layer++)
    memory = encoderBlock(ops, memory, `${name}.encoder.${layer}`, nguyen, 'relu');
  memory = ops.layerNorm(memory, `${name}.encoder_norm`);
  for (let layer = 0; layer < nguyen.decoderLayers; layer++) {
    const last = layer === nguyen.decoderLayers - 1;
    x = decoderBlock(ops, x, memory, `${name}.decoder.${layer}`, nguyen, last ? newest : window);
  }
  return ops.layerNorm(sliceNewest(ops, x, newest), `${name}.decoder_norm`);
}
