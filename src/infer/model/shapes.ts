import type { ConvOptions, Shape } from './ops.ts';

/** Output shape (n, h', w', out) of a convolution over (n, h, w, c). Throws RangeError if groups do not divide. */
export function convShape(shape: Shape, options: ConvOptions): Shape {
  const [n, h, w, c] = imageShape(shape);
  const groups = options.groups ?? 1;
  if (c % groups !== 0 || options.out % groups !== 0)
    throw new RangeError(`${groups} groups must divide ${c} input and ${options.out} output channels`);
  const outputSize = (size: number) => {
    const [before, after] = convPadding(size, options);
    return Math.floor((size + before + after - options.kernel) / (options.stride ?? 1)) + 1;
  };
  return [n, outputSize(h), outputSize(w), options.out];
}

/** Padding in pixels before and after a dimension of `size` pixels. */
export function convPadding(size: number, { kernel, stride = 1, padding }: ConvOptions): [number, number] {
  if (padding !== 'same') {
    const margin = padding ?? Math.floor((kernel - 1) / 2);
    return [margin, margin];
  }
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** Weight shape (out, in / groups, kh, kw) of a convolution over `shape` (n, h, w, c). */
export function kernelShape(shape: Shape, { out, kernel, groups = 1 }: ConvOptions): Shape {
  return [out, imageShape(shape)[3] / groups, kernel, kernel];
}

/** Output shape of max pooling without padding over (n, h, w, c). */
export function maxPoolShape(shape: Shape, size: number, stride: number): Shape {
  const [n, h, w, c] = imageShape(shape);
  return [n, Math.floor((h - size) / stride) + 1, Math.floor((w - size) / stride) + 1, c];
}

/** NumPy's broadcasting; a BATCH dimension stays BATCH. Throws RangeError if the shapes do not broadcast. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new RangeError(`[${a}] and [${b}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

/** Throws RangeError if the shapes differ in another dimension than `axis`. */
export function concatShape(shapes: readonly Shape[], axis: number): Shape {
  const [first = []] = shapes;
  for (const shape of shapes)
    if (shape.length !== first.length || shape.some((size, a) => a !== axis && size !== first[a]))
      throw new RangeError(`[${first}] and [${shape}] cannot be concatenated along dimension ${axis}`);
  return withDimension(
    first,
    axis,
    shapes.reduce((sum, shape) => sum + (shape[axis] as number), 0),
  );
}

/** q (n, i, d), k and v (n, j, d) → (n, i, d). Throws RangeError if the shapes or heads do not fit. */
export function attentionShape(q: Shape, k: Shape, v: Shape, heads: number, causal: boolean): Shape {
  const [, i = 0, d = 0] = q;
  if (q.length !== 3 || k.join() !== v.join() || k[2] !== d || d % heads !== 0 || (causal && i > (k[1] ?? 0)))
    throw new RangeError(`attention with ${heads} heads does not fit q [${q}], k [${k}], v [${v}]`);
  return q;
}

/** The shape with the size of dimension `axis` replaced. */
export function withDimension(shape: Shape, axis: number, size: number): Shape {
  if (axis < 0 || axis >= shape.length) throw new RangeError(`[${shape}] has no dimension ${axis}`);
  return shape.map((current, a) => (a === axis ? size : current));
}

export function sliceShape(shape: Shape, axis: number, from: number, to: number): Shape {
  if (from < 0 || to <= from || to > (shape[axis] ?? 0))
    throw new RangeError(`[${shape}] cannot be sliced ${from} … ${to} along dimension ${axis}`);
  return withDimension(shape, axis, to - from);
}

export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

function imageShape(shape: Shape): readonly [number, number, number, number] {
  if (shape.length !== 4) throw new RangeError(`an image needs shape (n, h, w, c), got [${shape}]`);
  return shape as unknown as readonly [number, number, number, number];
}
