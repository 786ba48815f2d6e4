import type { ConvOptions, Shape } from './ops.ts';

/** (n, h, w, c) → the shape after a convolution. */
export function convShape(shape: Shape, options: ConvOptions): Shape {
  const [n, h, w, c] = imageShape(shape);
  const groups = options.groups ?? 1;
  if (c % groups !== 0 || options.out % groups !== 0)
    throw new RangeError(`${groups} groups divide neither ${c} channels into ${options.out}`);
  const after = (size: number) => {
    const [before, behind] = convPadding(size, options);
    return Math.floor((size + before + behind - options.kernel) / (options.stride ?? 1)) + 1;
  };
  return [n, after(h), after(w), options.out];
}

/** Pixels of padding before and after a dimension of this size. */
export function convPadding(size: number, { kernel, stride = 1, padding }: ConvOptions): [number, number] {
  if (padding !== 'same') {
    const each = padding ?? Math.floor((kernel - 1) / 2);
    return [each, each];
  }
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** Shape of a convolution's weight: (out, in / groups, kh, kw). */
export function kernelShape(shape: Shape, { out, kernel, groups = 1 }: ConvOptions): Shape {
  return [out, imageShape(shape)[3] / groups, kernel, kernel];
}

export function maxPoolShape(shape: Shape, size: number, stride: number): Shape {
  const [n, h, w, c] = imageShape(shape);
  return [n, Math.floor((h - size) / stride) + 1, Math.floor((w - size) / stride) + 1, c];
}

/** NumPy's broadcasting; an unknown batch stays unknown. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new RangeError(`[${a}] and [${b}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

export function concatShape(shapes: readonly Shape[], axis: number): Shape {
  const [first = []] = shapes;
  for (const shape of shapes)
    if (shape.length !== first.length || shape.some((size, a) => a !== axis && size !== first[a]))
      throw new RangeError(`[${first}] and [${shape}] cannot be joined along dimension ${axis}`);
  return withDimension(
    first,
    axis,
    shapes.reduce((sum, shape) => sum + (shape[axis] as number), 0),
  );
}

/** q (n, i, d), k and v (n, j, d) → (n, i, d). */
export function attentionShape(q: Shape, k: Shape, v: Shape, heads: number, causal: boolean): Shape {
  const [, i = 0, d = 0] = q;
  if (q.length !== 3 || k.join() !== v.join() || k[2] !== d || d % heads !== 0 || (causal && i > (k[1] ?? 0)))
    throw new RangeError(`no attention of ${heads} heads between [${q}], [${k}] and [${v}]`);
  return q;
}

/** The shape with one dimension of another size. */
export function withDimension(shape: Shape, axis: number, size: number): Shape {
  if (axis < 0 || axis >= shape.length) throw new RangeError(`[${shape}] has no dimension ${axis}`);
  return shape.map((old, a) => (a === axis ? size : old));
}

export function sliceShape(shape: Shape, axis: number, from: number, to: number): Shape {
  if (from < 0 || to <= from || to > (shape[axis] ?? 0))
    throw new RangeError(`[${shape}] has no positions ${from} … ${to} along dimension ${axis}`);
  return withDimension(shape, axis, to - from);
}

export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

function imageShape(shape: Shape): readonly [number, number, number, number] {
  if (shape.length !== 4) throw new RangeError(`an image has four dimensions, not [${shape}]`);
  return shape as unknown as readonly [number, number, number, number];
}
