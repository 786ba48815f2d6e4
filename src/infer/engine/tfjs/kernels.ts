import type { ConvOptions, Shape } from '../../model/ops.ts';
import { convPadding } from '../../model/shapes.ts';

/**
 * PyTorch's convolution weight (out, in / groups, kh, kw) → TensorFlow's (kh, kw, in, out). TensorFlow.js has no grouped
 * convolution: groups become a block-diagonal dense kernel.
 */
export function denseKernel(weight: Float32Array, shape: Shape, groups: number): Float32Array {
  const [out = 0, each = 0, height = 0, width = 0] = shape;
  const dense = new Float32Array(height * width * each * groups * out);
  const outEach = out / groups;
  let source = 0;
  for (let o = 0; o < out; o++) {
    const first = Math.floor(o / outEach) * each;
    for (let i = first; i < first + each; i++)
      for (let at = 0; at < height * width; at++)
        dense[(at * each * groups + i) * out + o] = weight[source++]!;
  }
  return dense;
}

/** PyTorch's depthwise weight (c, 1, kh, kw) → TensorFlow's (kh, kw, c, 1). */
export function depthwiseKernel(weight: Float32Array, shape: Shape): Float32Array {
  const [channels = 0, , height = 0, width = 0] = shape;
  const kernel = new Float32Array(weight.length);
  for (let c = 0; c < channels; c++)
    for (let at = 0; at < height * width; at++) kernel[at * channels + c] = weight[c * height * width + at]!;
  return kernel;
}

/** TensorFlow's padding of a convolution over (n, h, w, c), or explicit padding in pixels for a `valid` one. */
export function tfPadding(
  shape: Shape,
  options: ConvOptions,
): 'same' | 'valid' | [[number, number], [number, number]] {
  const [rows, columns] = [convPadding(shape[1]!, options), convPadding(shape[2]!, options)];
  if ([...rows, ...columns].every((pixels) => pixels === 0)) return 'valid';
  const same = [1, 2].map((axis) => convPadding(shape[axis]!, { ...options, padding: 'same' }));
  return same.join() === [rows, columns].join() ? 'same' : [rows, columns];
}
