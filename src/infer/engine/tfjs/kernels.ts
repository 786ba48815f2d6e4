import type { ConvOptions, Shape } from '../../model/ops.ts';
import { convPadding } from '../../model/shapes.ts';

/**
 * PyTorch's convolution weight (out, in / groups, kh, kw) → TensorFlow's (kh, kw, in, out). TensorFlow.js has no
 * grouped convolution: groups become a block-diagonal dense kernel.
 */
export function denseKernel(weight: Float32Array, shape: Shape, groups: number): Float32Array {
  const [out = 0, inPerGroup = 0, height = 0, width = 0] = shape;
  const dense = new Float32Array(height * width * inPerGroup * groups * out);
  const outPerGroup = out / groups;
  let source = 0;
  for (let o = 0; o < out; o++) {
    const first = Math.floor(o / outPerGroup) * inPerGroup;
    for (let i = first; i < first + inPerGroup; i++)
      for (let position = 0; position < height * width; position++)
        dense[(position * inPerGroup * groups + i) * out + o] = weight[source++]!;
  }
  return dense;
}

/** PyTorch's depthwise weight (c, 1, kh, kw) → TensorFlow's (kh, kw, c, 1). */
export function depthwiseKernel(weight: Float32Array, shape: Shape): Float32Array {
  const [channels = 0, , height = 0, width = 0] = shape;
  const kernel = new Float32Array(weight.length);
  for (let c = 0; c < channels; c++)
    for (let position = 0; position < height * width; position++)
      kernel[position * channels + c] = weight[c * height * width + position]!;
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
