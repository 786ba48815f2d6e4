import type { ConvOptions, Parameters, Shape } from './ops.ts';

/** ε of every batch norm: the default of PyTorch and timm. */
const EPSILON = 1e-5;

/**
 * Batch norm folding: weight (out, in / groups, kh, kw) and bias (out) of a convolution with the batch norm that
 * follows it folded in, as at inference y = γ (x − mean) / √(variance + ε) + β is linear. `bias` is undefined if the
 * convolution has neither a bias nor a batch norm. Throws MODEL_INVALID if a parameter is missing or has another shape.
 */
export function foldedConvParameters(
  parameters: Parameters,
  name: string,
  shape: Shape,
  options: ConvOptions,
): { weight: Float32Array; bias: Float32Array | undefined } {
  const { out, batchNorm } = options;
  const weight = parameters.read(`${name}.weight`, shape);
  const bias = (options.bias ?? batchNorm === undefined) ? parameters.read(`${name}.bias`, [out]) : undefined;
  if (batchNorm === undefined) return { weight, bias };
  const read = (part: string) => parameters.read(`${batchNorm}.${part}`, [out]);
  const [gamma, beta, mean, variance] = [
    read('weight'),
    read('bias'),
    read('running_mean'),
    read('running_var'),
  ];
  const folded = new Float32Array(weight.length);
  const shift = new Float32Array(out);
  const size = weight.length / out;
  for (let channel = 0; channel < out; channel++) {
    const scale = gamma[channel]! / Math.sqrt(variance[channel]! + EPSILON);
    for (let i = channel * size; i < (channel + 1) * size; i++) folded[i] = weight[i]! * scale;
    shift[channel] = beta[channel]! + ((bias?.[channel] ?? 0) - mean[channel]!) * scale;
  }
  return { weight: folded, bias: shift };
}
