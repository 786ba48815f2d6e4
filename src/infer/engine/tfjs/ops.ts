import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import { foldedConvParameters } from '../../model/batch-norm.ts';
import type { ConvOptions, Ops, Parameters, Shape } from '../../model/ops.ts';
import * as shapes from '../../model/shapes.ts';
import { causalMask, sliceRows, transpose } from '../matrix.ts';
import type { Tensorflow } from './backend.ts';
import { denseKernel, depthwiseKernel, tfPadding } from './kernels.ts';

/** Runs operators eagerly on TensorFlow.js. Images are NHWC, TensorFlow's layout. */
export class TfjsOps implements Ops<Tensor> {
  readonly #tf: Tensorflow;
  readonly #parameters: Parameters;
  /** Parameters and constants in the backend's memory, created on first use. */
  readonly #cache = new Map<string, Tensor>();

  constructor(tf: Tensorflow, parameters: Parameters) {
    this.#tf = tf;
    this.#parameters = parameters;
  }

  /** Frees the memory of parameters and constants. */
  dispose(): void {
    for (const tensor of this.#cache.values()) tensor.dispose();
    this.#cache.clear();
  }

  shape(x: Tensor): Shape {
    return x.shape;
  }

  parameter(name: string, shape: Shape): Tensor {
    return this.#cached(name, shape, () => this.#parameters.read(name, shape));
  }
  constant(values: ArrayLike<number>, shape: Shape): Tensor {
    return this.#cached(`constant ${Array.from(values).join()}`, shape, () => Float32Array.from(values));
  }

  image(pixels: Tensor, scale: readonly number[], shift: readonly number[]): Tensor {
    const x = this.#tf.cast(pixels, 'float32');
    return this.add(this.mul(x, this.constant(scale, [scale.length])), this.constant(shift, [shift.length]));
  }
  conv(x: Tensor, name: string, options: ConvOptions): Tensor {
    const tf = this.#tf;
    const kernel = shapes.kernelShape(x.shape, options);
    const { out, kernel: size, groups = 1, stride = 1 } = options;
    const inputs = x.shape[3]!;
    const read = () => foldedConvParameters(this.#parameters, name, kernel, options);
    const padding = tfPadding(x.shape, options);
    const padded = (typeof padding === 'string' ? x : tf.pad(x, [[0, 0], ...padding, [0, 0]])) as Tensor4D;
    const pad = typeof padding === 'string' ? padding : 'valid';
    const depthwise = groups === inputs && out === inputs && groups > 1;
    const filter = this.#cached(
      `${name}.weight`,
      depthwise ? [size, size, inputs, 1] : [size, size, inputs, out],
      () => (depthwise ? depthwiseKernel(read().weight, kernel) : denseKernel(read().weight, kernel, groups)),
    ) as Tensor4D;
    const bias = this.#cached(`${name}.bias`, [out], () => read().bias ?? new Float32Array(out));
    const y = depthwise
      ? tf.depthwiseConv2d(padded, filter, stride, pad)
      : tf.conv2d(padded, filter, stride, pad);
    return tf.add(y, bias);
  }
  maxPool(x: Tensor, size: number, stride: number): Tensor {
    return this.#tf.maxPool(x as Tensor4D, size, stride, 'valid');
  }
  pool(x: Tensor): Tensor {
    return this.#tf.mean(x, [1, 2], true);
  }
  padChannels(x: Tensor, channels: number): Tensor {
    return this.pad(x, 3, 0, channels - x.shape[3]!);
  }
  tokens(x: Tensor): Tensor {
    const [n = 0, h = 0, w = 0, c = 0] = x.shape;
    return this.#tf.reshape(x, [n, h * w, c]);
  }

  add(a: Tensor, b: Tensor): Tensor {
    return this.#tf.add(a, b);
  }
  mul(a: Tensor, b: Tensor): Tensor {
    return this.#tf.mul(a, b);
  }
  relu(x: Tensor): Tensor {
    return this.#tf.relu(x);
  }
  gelu(x: Tensor): Tensor {
    const half = this.mul(x, this.constant([0.5], [1]));
    const erf = this.#tf.erf(this.mul(x, this.constant([Math.SQRT1_2], [1])));
    return this.mul(half, this.add(erf, this.constant([1], [1])));
  }
  sigmoid(x: Tensor): Tensor {
    return this.#tf.sigmoid(x);
  }

  linear(x: Tensor, name: string, out: number, part: readonly [number, number] = [0, out]): Tensor {
    const inputs = x.shape.at(-1)!;
    const outputs = part[1] - part[0];
    const label = outputs === out ? name : `${name}.${part.join(':')}`;
    const matrix = this.#cached(`${label}.weight`, [inputs, outputs], () =>
      transpose(
        sliceRows(this.#parameters.read(`${name}.weight`, [out, inputs]), inputs, part),
        outputs,
        inputs,
      ),
    ) as Tensor2D;
    const bias = this.#cached(`${label}.bias`, [outputs], () =>
      sliceRows(this.#parameters.read(`${name}.bias`, [out]), 1, part).slice(),
    );
    const rows = this.#tf.reshape(x, [-1, inputs]) as Tensor2D;
    const y = this.#tf.add(this.#tf.matMul(rows, matrix), bias);
    return this.#tf.reshape(y, [...x.shape.slice(0, -1), outputs]);
  }
  layerNorm(x: Tensor, name: string): Tensor {
    const tf = this.#tf;
    const size = [x.shape.at(-1)!];
    const centered = tf.sub(x, tf.mean(x, -1, true));
    const variance = tf.mean(tf.square(centered), -1, true);
    const normed = tf.mul(centered, tf.rsqrt(tf.add(variance, this.constant([1e-5], [1]))));
    const scaled = tf.mul(normed, this.parameter(`${name}.weight`, size));
    return tf.add(scaled, this.parameter(`${name}.bias`, size));
  }
  attention(q: Tensor, k: Tensor, v: Tensor, heads: number, causal = false): Tensor {
    const tf = this.#tf;
    const [n = 0, i = 0, d = 0] = shapes.attentionShape(q.shape, k.shape, v.shape, heads, causal);
    const j = k.shape[1]!;
    const headSize = d / heads;
    // n s d → n·heads s headSize
    const split = (x: Tensor, s: number): Tensor3D =>
      tf.reshape(tf.transpose(tf.reshape(x, [n, s, heads, headSize]), [0, 2, 1, 3]), [
        n * heads,
        s,
        headSize,
      ]);
    const scaled = tf.mul(split(q, i), this.constant([1 / Math.sqrt(headSize)], [1]));
    let scores: Tensor = tf.matMul(scaled, split(k, j), false, true); // n·heads i j
    if (causal)
      scores = tf.add(
        scores,
        this.#cached('causal', [1, i, j], () => causalMask(i, j)),
      );
    const attended = tf.matMul(tf.softmax(scores) as Tensor3D, split(v, j));
    return tf.reshape(tf.transpose(tf.reshape(attended, [n, heads, i, headSize]), [0, 2, 1, 3]), [n, i, d]);
  }
  mean(x: Tensor, axis: number): Tensor {
    return this.#tf.mean(x, axis);
  }
  concat(xs: readonly Tensor[], axis: number): Tensor {
    return this.#tf.concat([...xs], axis);
  }
  slice(x: Tensor, axis: number, from: number, to: number): Tensor {
    const begin = x.shape.map((_, a) => (a === axis ? from : 0));
    return this.#tf.slice(x, begin, [...shapes.sliceShape(x.shape, axis, from, to)]);
  }
  pad(x: Tensor, axis: number, before: number, after: number): Tensor {
    return this.#tf.pad(
      x,
      x.shape.map((_, a): [number, number] => (a === axis ? [before, after] : [0, 0])),
    );
  }
  reshape(x: Tensor, shape: Shape): Tensor {
    return this.#tf.reshape(x, [...shape]);
  }

  #cached(name: string, shape: Shape, values: () => Float32Array): Tensor {
    const key = `${name} [${shape}]`;
    let tensor = this.#cache.get(key);
    if (!tensor) {
      tensor = this.#tf.keep(this.#tf.tensor(values(), [...shape], 'float32'));
      this.#cache.set(key, tensor);
    }
    return tensor;
  }
}
