/**
 * The operators in which every architecture is written once. An interpreter defines `T`: the name and shape of a graph
 * value (engine/onnx emits a graph), a tensor (engine/tfjs runs eagerly), or only a shape (`parameter-manifest.ts`).
 *
 * Two kinds of value:
 *   image   logical shape (n, h, w, c), made by `image` and `conv`. The memory layout is the interpreter's (NHWC or
 *           NCHW), so only the image operators and the elementwise ones accept it.
 *   tensor  any other shape, row-major.
 * n is the batch dimension; its size is `BATCH` (-1) while it is unknown.
 *
 * Operators take parameters by name: `linear(x, 'head', 12)` reads `head.weight` and `head.bias`. Names and layouts are
 * PyTorch's: convolutions (out, in / groups, kh, kw), linear layers (out, in).
 */

/** Dynamic dimension: its size is known only when the graph runs. Always the first dimension. */
export const BATCH = -1;

export type Shape = readonly number[];

/**
 * `same`: TensorFlow's SAME; the output size is ceil(input / stride), and an odd pixel of padding goes right and below.
 * A number: pixels on each side, as in PyTorch.
 */
export type Padding = 'same' | number;

export interface ConvOptions {
  /** Output channels. */
  readonly out: number;
  /** Edge length of the square kernel. */
  readonly kernel: number;
  /** Default 1. */
  readonly stride?: number;
  /** Default 1. Equal to the input channels: a depthwise convolution. */
  readonly groups?: number;
  /** Default (kernel - 1) / 2. */
  readonly padding?: Padding;
  /** Reads `<name>.bias`. Default: true without a batch norm, else false. */
  readonly bias?: boolean;
  /** Parameter name of the batch norm that follows; it is folded into the convolution. */
  readonly batchNorm?: string;
}

export interface Ops<T> {
  /** Logical shape: (n, h, w, c) for images, whatever their memory layout. */
  shape(x: T): Shape;

  // Parameters and constants, as tensors.
  /** The parameter of this name. Throws if it has another shape. */
  parameter(name: string, shape: Shape): T;
  constant(values: ArrayLike<number>, shape: Shape): T;

  // Images.
  /** Pixel tensor (n, h, w, c), bytes or floats → image, each channel x · scale + shift. */
  image(pixels: T, scale: readonly number[], shift: readonly number[]): T;
  conv(x: T, name: string, options: ConvOptions): T;
  /** Max pooling without padding; incomplete windows at the edge are dropped. */
  maxPool(x: T, size: number, stride: number): T;
  /** Global average pooling: (n, h, w, c) → (n, 1, 1, c). */
  pool(x: T): T;
  /** Appends zero channels up to `channels`: (n, h, w, c) → (n, h, w, channels). */
  padChannels(x: T, channels: number): T;
  /** Image (n, h, w, c) → token tensor (n, h·w, c), in row-major order of (h, w). */
  tokens(x: T): T;

  // Elementwise, on images and tensors, with NumPy's broadcasting.
  add(a: T, b: T): T;
  mul(a: T, b: T): T;
  relu(x: T): T;
  /** Exact GELU (error function), not the tanh approximation. */
  gelu(x: T): T;
  sigmoid(x: T): T;

  // Tensors.
  /**
   * x · weightᵀ + bias over the last dimension: (…, in) → (…, out). `part` computes only outputs from … to − 1, for
   * example q without k and v of a joint projection.
   */
  linear(x: T, name: string, out: number, part?: readonly [from: number, to: number]): T;
  /** Layer norm over the last dimension, ε = 1e-5, with `<name>.weight` and `<name>.bias`. */
  layerNorm(x: T, name: string): T;
  /**
   * Multi-head attention, softmax(q·kᵀ / √(d / heads))·v per head: q (n, i, d), k and v (n, j, d) → (n, i, d).
   * `causal`: position p of q attends to positions ≤ p + (j − i) of k; q may be the newest i of j positions.
   */
  attention(q: T, k: T, v: T, heads: number, causal?: boolean): T;
  /** Mean over one dimension, which is removed. */
  mean(x: T, axis: number): T;
  concat(xs: readonly T[], axis: number): T;
  /** Positions from … to − 1 of one dimension. */
  slice(x: T, axis: number, from: number, to: number): T;
  /** Zero padding before and after along one dimension. */
  pad(x: T, axis: number, before: number, after: number): T;
  /** At most one dimension is BATCH (-1): inferred from the element count. */
  reshape(x: T, shape: Shape): T;
}

/** Named parameters of a model. */
export interface Parameters {
  /** Values in fp32, row-major. Throws MODEL_INVALID if the parameter is missing or has another shape. */
  read(name: string, shape: Shape): Float32Array;
}

/** Parameters identified by a checksum: equal checksums mean equal values. */
export interface Weights extends Parameters {
  readonly sha256: string;
}
