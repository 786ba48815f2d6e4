import { foldedConvParameters } from '../../model/batch-norm.ts';
import type { ConvOptions, Ops, Parameters, Shape } from '../../model/ops.ts';
import * as shapes from '../../model/shapes.ts';
import { causalMask, mergeableGroups, mergeGroups, quantizeInt8, sliceRows, transpose } from '../matrix.ts';
import { bytes, type GraphBuilder } from './graph-builder.ts';
import type { Element } from './onnx-proto.ts';

/** A value of the graph. Images are NCHW in the graph; `shape` is the logical (n, h, w, c). */
export interface Value {
  readonly name: string;
  readonly shape: Shape;
  readonly isImage: boolean;
}

/**
 * fp32: single precision. fp16: half precision, except inputs and outputs. int8 (CPU only): dynamic quantization of
 * linear layers, weights per output channel, activations at run time; everything else fp32.
 */
export type GraphPrecision = 'fp32' | 'fp16' | 'int8';

/** Emits ONNX: each operator appends nodes and initializers, and returns the name and shape of its output. */
export class OnnxOps implements Ops<Value> {
  readonly #graph: GraphBuilder;
  readonly #parameters: Parameters;
  readonly #int8: boolean;

  constructor(graph: GraphBuilder, parameters: Parameters, precision: GraphPrecision) {
    this.#graph = graph;
    this.#parameters = parameters;
    this.#int8 = precision === 'int8';
  }

  shape(x: Value): Shape {
    return x.shape;
  }

  parameter(name: string, shape: Shape): Value {
    return this.#tensor(
      this.#graph.floats(name, shape, () => this.#parameters.read(name, shape)),
      shape,
    );
  }
  constant(values: ArrayLike<number>, shape: Shape): Value {
    const data = Float32Array.from(values);
    return this.#tensor(
      this.#graph.floats(`constant.${data.join()}`, shape, () => data),
      shape,
    );
  }

  image(pixels: Value, scale: readonly number[], shift: readonly number[]): Value {
    // Transpose NHWC to NCHW while the values are bytes, a quarter of the memory. Scale and shift in fp32 in every
    // precision: fp16 would round bytes times small scales.
    const perChannel = (values: readonly number[]) =>
      this.#graph.initializer(`fp32.planes.${values.join()}`, 'float', [values.length, 1, 1], () =>
        bytes(Float32Array.from(values)),
      );
    let x = this.#graph.node('Transpose', [pixels.name], { perm: [0, 3, 1, 2] });
    x = this.#graph.cast(x, 'float');
    x = this.#graph.node('Mul', [x, perChannel(scale)]);
    if (shift.some((value) => value !== 0)) x = this.#graph.node('Add', [x, perChannel(shift)]);
    if (this.#graph.element === 'float16') x = this.#graph.cast(x, 'float16');
    return { name: x, shape: pixels.shape, isImage: true };
  }

  conv(x: Value, name: string, options: ConvOptions): Value {
    const kernel = shapes.kernelShape(x.shape, options);
    const { weight, bias } = foldedConvParameters(this.#parameters, name, kernel, options);
    const groups = options.groups ?? 1;
    const merged = mergeableGroups(kernel, groups);
    const mergedKernel = shapes.withDimension(kernel, 1, kernel[1]! * merged);
    const inputs = [
      x.name,
      this.#graph.floats(`${name}.weight`, mergedKernel, () => mergeGroups(weight, kernel, groups, merged)),
    ];
    if (bias) inputs.push(this.#graph.floats(`${name}.bias`, [options.out], () => bias));
    const [top, bottom] = shapes.convPadding(x.shape[1]!, options);
    const [left, right] = shapes.convPadding(x.shape[2]!, options);
    const stride = options.stride ?? 1;
    const y = this.#graph.node('Conv', inputs, {
      kernel_shape: [options.kernel, options.kernel],
      strides: [stride, stride],
      pads: [top, left, bottom, right],
      group: groups / merged,
    });
    return { name: y, shape: shapes.convShape(x.shape, options), isImage: true };
  }
  maxPool(x: Value, size: number, stride: number): Value {
    const y = this.#graph.node('MaxPool', [x.name], {
      kernel_shape: [size, size],
      strides: [stride, stride],
    });
    return { name: y, shape: shapes.maxPoolShape(x.shape, size, stride), isImage: true };
  }
  pool(x: Value): Value {
    const [n = 0, , , c = 0] = x.shape;
    return { name: this.#graph.node('GlobalAveragePool', [x.name]), shape: [n, 1, 1, c], isImage: true };
  }
  padChannels(x: Value, channels: number): Value {
    const pads = [0, 0, 0, 0, 0, channels - x.shape[3]!, 0, 0]; // n c h w
    const y = this.#graph.node('Pad', [x.name, this.#graph.integers(pads)]);
    return { name: y, shape: shapes.withDimension(x.shape, 3, channels), isImage: true };
  }
  tokens(x: Value): Value {
    const [n = 0, h = 0, w = 0, c = 0] = x.shape;
    const nhwc = this.#graph.node('Transpose', [x.name], { perm: [0, 2, 3, 1] });
    return this.#tensor(this.#graph.node('Reshape', [nhwc, this.#graph.integers([0, h * w, c])]), [
      n,
      h * w,
      c,
    ]);
  }

  add(a: Value, b: Value): Value {
    return this.#elementwise('Add', a, b);
  }
  mul(a: Value, b: Value): Value {
    return this.#elementwise('Mul', a, b);
  }
  relu(x: Value): Value {
    return { ...x, name: this.#graph.node('Relu', [x.name]) };
  }
  gelu(x: Value): Value {
    return { ...x, name: this.#graph.node('Gelu', [x.name]) };
  }
  sigmoid(x: Value): Value {
    return { ...x, name: this.#graph.node('Sigmoid', [x.name]) };
  }

  linear(x: Value, name: string, out: number, part: readonly [number, number] = [0, out]): Value {
    const inputs = x.shape.at(-1)!;
    const outputs = part[1] - part[0];
    const label = outputs === out ? name : `${name}.${part[0]}:${part[1]}`;
    const weight = () => sliceRows(this.#parameters.read(`${name}.weight`, [out, inputs]), inputs, part);
    const bias = this.#graph.floats(`${label}.bias`, [outputs], () =>
      sliceRows(this.#parameters.read(`${name}.bias`, [out]), 1, part),
    );
    const shape = shapes.withDimension(x.shape, x.shape.length - 1, outputs);
    if (this.#int8) return this.#tensor(this.#int8Linear(x, label, outputs, weight, bias), shape);
    const matrix = this.#graph.floats(`${label}.weight`, [inputs, outputs], () =>
      transpose(weight(), outputs, inputs),
    );
    return this.#tensor(this.#graph.node('Add', [this.#graph.node('MatMul', [x.name, matrix]), bias]), shape);
  }
  layerNorm(x: Value, name: string): Value {
    const size = [x.shape.at(-1)!];
    const scale = this.parameter(`${name}.weight`, size).name;
    const shift = this.parameter(`${name}.bias`, size).name;
    const y = this.#graph.node('LayerNormalization', [x.name, scale, shift], {
      axis: -1,
      epsilon: { float: 1e-5 },
    });
    return this.#tensor(y, x.shape);
  }
  attention(q: Value, k: Value, v: Value, heads: number, causal = false): Value {
    const shape = shapes.attentionShape(q.shape, k.shape, v.shape, heads, causal);
    const inputs = [q.name, k.name, v.name];
    // Inputs 3 and 4, bias and key_padding_mask, are absent.
    if (causal) inputs.push('', '', this.#causalMask(q.shape[1]!, k.shape[1]!));
    return this.#tensor(
      this.#graph.node('MultiHeadAttention', inputs, { num_heads: heads }, 'com.microsoft'),
      shape,
    );
  }
  mean(x: Value, axis: number): Value {
    const y = this.#graph.node('ReduceMean', [x.name, this.#graph.integers([axis])], { keepdims: 0 });
    return this.#tensor(
      y,
      x.shape.filter((_, a) => a !== axis),
    );
  }
  concat(xs: readonly Value[], axis: number): Value {
    const y = this.#graph.node(
      'Concat',
      xs.map((x) => x.name),
      { axis },
    );
    return this.#tensor(
      y,
      shapes.concatShape(
        xs.map((x) => x.shape),
        axis,
      ),
    );
  }
  slice(x: Value, axis: number, from: number, to: number): Value {
    const bounds = [[from], [to], [axis]].map((values) => this.#graph.integers(values));
    return this.#tensor(
      this.#graph.node('Slice', [x.name, ...bounds]),
      shapes.sliceShape(x.shape, axis, from, to),
    );
  }
  pad(x: Value, axis: number, before: number, after: number): Value {
    const zeros = x.shape.map(() => 0);
    const pads = [...shapes.withDimension(zeros, axis, before), ...shapes.withDimension(zeros, axis, after)];
    const shape = shapes.withDimension(x.shape, axis, x.shape[axis]! + before + after);
    return this.#tensor(this.#graph.node('Pad', [x.name, this.#graph.integers(pads)]), shape);
  }
  reshape(x: Value, shape: Shape): Value {
    return this.#tensor(this.#graph.node('Reshape', [x.name, this.#graph.integers(shape)]), shape);
  }

  /** A graph input in the graph's floating-point type. */
  input(name: string, element: Element, shape: Shape): Value {
    const usable = element === 'uint8' || element === this.#graph.element;
    return this.#tensor(usable ? name : this.#graph.cast(name, 'float16'), shape);
  }

  #tensor(name: string, shape: Shape): Value {
    return { name, shape, isImage: false };
  }

  #elementwise(type: 'Add' | 'Mul', a: Value, b: Value): Value {
    if (a.isImage !== b.isImage)
      throw new TypeError(`${type} of an image and a tensor: their memory layouts differ`);
    const shape = shapes.broadcastShape(a.shape, b.shape);
    return { name: this.#graph.node(type, [a.name, b.name]), shape, isImage: a.isImage };
  }

  #int8Linear(x: Value, label: string, out: number, weight: () => Float32Array, bias: string): string {
    const inputs = x.shape.at(-1)!;
    const { values, scales } = quantizeInt8(weight(), out, inputs);
    const matrix = this.#graph.initializer(`${label}.int8`, 'int8', [inputs, out], () => bytes(values));
    const scale = this.#graph.initializer(`${label}.scale`, 'float', [out], () => bytes(scales));
    return this.#graph.node('DynamicQuantizeMatMul', [x.name, matrix, scale, '', bias], {}, 'com.microsoft');
  }

  #causalMask(i: number, j: number): string {
    return this.#graph.floats(`causal.${i}.${j}`, [1, 1, i, j], () => causalMask(i, j));
  }
}
