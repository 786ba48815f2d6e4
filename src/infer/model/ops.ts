/**
 * The operators in which every architecture of austream is written, once. An interpreter gives `T` its meaning:
 * a name and a shape where a graph is emitted (engine/onnx), a live tensor where it runs at once (engine/tfjs), a
 * bare shape where parameters are only counted (`parameters.ts`).
 *
 * Two kinds of value:
 *   images  (n, h, w, c): made by `image` and `conv`; each interpreter lays them out in memory as it likes,
 *           so only the operators under "images" and the elementwise ones take them;
 *   rows    any other shape, row-major.
 * n is the batch; its size is `BATCH` (-1) where it is not known until the graph runs.
 *
 * Parameters are named, never passed: `linear(x, 'head', 12)` reads `head.weight` and `head.bias`. Names and layouts
 * are PyTorch's: convolutions (out, in / groups, kh, kw), linear layers (out, in).
 */

/** Size of a dimension that is known only when the graph runs; always the first one. */
export const BATCH = -1;

export type Shape = readonly number[];

/**
 * `same`: TensorFlow's; the output is ceil(input / stride) and the odd pixel of padding goes right and below.
 * A number: that many pixels on each side (PyTorch's).
 */
export type Padding = 'same' | number;

export interface ConvOptions {
  /** Output channels. */
  readonly out: number;
  /** Edge of the square kernel. */
  readonly kernel: number;
  /** Default 1. */
  readonly stride?: number;
  /** Default 1; as many as input channels is a depthwise convolution. */
  readonly groups?: number;
  /** Default (kernel - 1) / 2. */
  readonly padding?: Padding;
  /** Reads `<name>.bias`. Default: only where there is no batch norm. */
  readonly bias?: boolean;
  /** Name of the batch norm that follows; its statistics are folded into the convolution. */
  readonly batchNorm?: string;
}

export interface Ops<T> {
  /** Logical shape: images are (n, h, w, c) whatever their memory looks like. */
  shape(x: T): Shape;

  // Parameters and constants, as rows.
  /** The parameter of this name; the interpreter checks that it has this shape. */
  parameter(name: string, shape: Shape): T;
  constant(values: ArrayLike<number>, shape: Shape): T;

  // Images.
  /** Rows of pixels (n, h, w, c), bytes or floats → image with each channel scaled, then shifted. */
  image(pixels: T, scale: readonly number[], shift: readonly number[]): T;
  conv(x: T, name: string, options: ConvOptions): T;
  /** Without padding; what does not fill a window is left out. */
  maxPool(x: T, size: number, stride: number): T;
  /** Mean over h and w: (n, h, w, c) → (n, 1, 1, c). */
  pool(x: T): T;
  /** Appends zero channels until there are `channels`. */
  padChannels(x: T, channels: number): T;
  /** (n, h, w, c) → rows (n, h·w, c), position (0, 0) first, then along w. */
  tokens(x: T): T;

  // Elementwise, on images and rows; one argument may broadcast to the other.
  add(a: T, b: T): T;
  mul(a: T, b: T): T;
  relu(x: T): T;
  /** The exact one, by the error function. */
  gelu(x: T): T;
  sigmoid(x: T): T;

  // Rows.
  /**
   * x · weightᵀ + bias over the last dimension. `part` takes only the outputs from … to - 1 of the `out` that the
   * parameters have: q without k and v of a joint projection.
   */
  linear(x: T, name: string, out: number, part?: readonly [from: number, to: number]): T;
  /** Over the last dimension, ε 1e-5, with `<name>.weight` and `<name>.bias`. */
  layerNorm(x: T, name: string): T;
  /**
   * softmax(q·kᵀ / √(d / heads))·v per head. q (n, i, d), k and v (n, j, d) → (n, i, d).
   * `causal`: position p of q sees positions ≤ p + (j - i) of k, so that q may be the newest i of j positions.
   */
  attention(q: T, k: T, v: T, heads: number, causal?: boolean): T;
  /** Mean over one dimension, which goes. */
  mean(x: T, axis: number): T;
  concat(xs: readonly T[], axis: number): T;
  /** Positions from … to - 1 of one dimension. */
  slice(x: T, axis: number, from: number, to: number): T;
  /** Zeros before and after along one dimension. */
  pad(x: T, axis: number, before: number, after: number): T;
  /** One dimension may be BATCH: whatever is left. */
  reshape(x: T, shape: Shape): T;
}

/** Named parameters, as every interpreter reads them. */
export interface Parameters {
  /**
   * Values in fp32, row-major. Throws AustreamError MODEL_INVALID where the parameter is missing or has another
   * shape.
   */
  read(name: string, shape: Shape): Float32Array;
}

/** Parameters that are known by a sum: equal sums mean equal values. */
export interface Weights extends Parameters {
  readonly sha256: string;
}
