import { CROP_SIZE } from '../../domain/face.ts';
import { type Architecture, embeddingSize, WINDOW_SIZE } from './architecture.ts';
import { frameEncoder, windowEncoder } from './ensemble.ts';
import type { ConvOptions, Ops, Shape } from './ops.ts';
import * as shapes from './shapes.ts';

/** What a description reads and costs, found by following it with shapes alone. */
export interface ParameterManifest {
  /** Every parameter's shape by name, in the order of use. */
  readonly parameters: ReadonlyMap<string, Shape>;
  /** Multiply-accumulates of one item of the batch. */
  readonly macs: number;
}

/** All parameters of a model, and what a crop (frame) and a hop (window) cost. */
export function parameterManifest(
  net: Architecture,
  newest = WINDOW_SIZE,
): {
  parameters: ReadonlyMap<string, Shape>;
  count: number;
  frame: ParameterManifest;
  window: ParameterManifest;
} {
  const frame = traceParameters((ops) => frameEncoder(ops, [1, CROP_SIZE, CROP_SIZE, 3], net));
  const window = traceParameters((ops) =>
    windowEncoder(ops, [1, WINDOW_SIZE, embeddingSize(net)], net, newest),
  );
  const parameters = new Map([...frame.parameters, ...window.parameters]);
  const count = [...parameters]
    .filter(([name]) => !name.includes('.running_')) // statistics, not learnt
    .reduce((sum, [, shape]) => sum + shapes.elementCount(shape), 0);
  return { parameters, count, frame, window };
}

/** Follows a description; its inputs are shapes whose batch is 1. */
export function traceParameters(describe: (ops: Ops<Shape>) => unknown): ParameterManifest {
  const ops = new ShapeInference();
  describe(ops);
  return { parameters: ops.parameters, macs: ops.macs };
}

class ShapeInference implements Ops<Shape> {
  readonly parameters = new Map<string, Shape>();
  macs = 0;

  shape(x: Shape): Shape {
    return x;
  }
  parameter(name: string, shape: Shape): Shape {
    const known = this.parameters.get(name);
    if (known && known.join() !== shape.join())
      throw new RangeError(`${name} is read as [${known}] and as [${shape}]`);
    this.parameters.set(name, shape);
    return shape;
  }
  constant(_values: ArrayLike<number>, shape: Shape): Shape {
    return shape;
  }
  image(pixels: Shape): Shape {
    return pixels;
  }
  conv(x: Shape, name: string, options: ConvOptions): Shape {
    const kernel = this.parameter(`${name}.weight`, shapes.kernelShape(x, options));
    if (options.bias ?? options.batchNorm === undefined) this.parameter(`${name}.bias`, [options.out]);
    if (options.batchNorm)
      for (const part of ['weight', 'bias', 'running_mean', 'running_var'])
        this.parameter(`${options.batchNorm}.${part}`, [options.out]);
    const out = shapes.convShape(x, options);
    this.macs += (shapes.elementCount(kernel) * shapes.elementCount(out)) / options.out;
    return out;
  }
  maxPool(x: Shape, size: number, stride: number): Shape {
    return shapes.maxPoolShape(x, size, stride);
  }
  pool(x: Shape): Shape {
    return [x[0]!, 1, 1, x[3]!];
  }
  padChannels(x: Shape, channels: number): Shape {
    return shapes.withDimension(x, 3, channels);
  }
  tokens(x: Shape): Shape {
    return [x[0]!, x[1]! * x[2]!, x[3]!];
  }
  add(a: Shape, b: Shape): Shape {
    return shapes.broadcastShape(a, b);
  }
  mul(a: Shape, b: Shape): Shape {
    return shapes.broadcastShape(a, b);
  }
  relu(x: Shape): Shape {
    return x;
  }
  gelu(x: Shape): Shape {
    return x;
  }
  sigmoid(x: Shape): Shape {
    return x;
  }
  linear(x: Shape, name: string, out: number, [from, to]: readonly [number, number] = [0, out]): Shape {
    this.parameter(`${name}.weight`, [out, x.at(-1)!]);
    this.parameter(`${name}.bias`, [out]);
    this.macs += shapes.elementCount(x) * (to - from);
    return shapes.withDimension(x, x.length - 1, to - from);
  }
  layerNorm(x: Shape, name: string): Shape {
    this.parameter(`${name}.weight`, [x.at(-1)!]);
    this.parameter(`${name}.bias`, [x.at(-1)!]);
    return x;
  }
  attention(q: Shape, k: Shape, v: Shape, heads: number, causal = false): Shape {
    this.macs += 2 * shapes.elementCount(q) * k[1]!;
    return shapes.attentionShape(q, k, v, heads, causal);
  }
  mean(x: Shape, axis: number): Shape {
    return x.filter((_, a) => a !== axis);
  }
  concat(xs: readonly Shape[], axis: number): Shape {
    return shapes.concatShape(xs, axis);
  }
  slice(x: Shape, axis: number, from: number, to: number): Shape {
    return shapes.sliceShape(x, axis, from, to);
  }
  pad(x: Shape, axis: number, before: number, after: number): Shape {
    return shapes.withDimension(x, axis, x[axis]! + before + after);
  }
  reshape(x: Shape, shape: Shape): Shape {
    const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1);
    return shape.map((size) => (size === -1 ? shapes.elementCount(x) / known : size));
  }
}
