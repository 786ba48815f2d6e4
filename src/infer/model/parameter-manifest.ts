import { CROP_SIZE } from '../../domain/face.ts';
import { type Architecture, embeddingSize, WINDOW_SIZE } from './architecture.ts';
import { frameEncoder, windowEncoder } from './ensemble.ts';
import type { ConvOptions, Ops, Shape } from './ops.ts';
import * as shapes from './shapes.ts';

/** Parameters and cost of an architecture, found by shape inference without weights. */
export interface ParameterManifest {
  /** Shape by parameter name, in order of use. */
  readonly parameters: ReadonlyMap<string, Shape>;
  /** Multiply-accumulate operations for a batch of one. */
  readonly macs: number;
}

/**
 * All parameters of a model with their shapes and learnable count, and separately those of the frame encoder (one crop)
 * and the window encoder (one hop).
 */
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
    .filter(([name]) => !name.includes('.running_')) // batch norm statistics, not learnable
    .reduce((sum, [, shape]) => sum + shapes.elementCount(shape), 0);
  return { parameters, count, frame, window };
}

/** Runs `describe` on shapes with a batch of one. Throws RangeError if shapes do not fit. */
function traceParameters(describe: (ops: Ops<Shape>) => unknown): ParameterManifest {
  const ops = new ShapeInference();
  describe(ops);
  return { parameters: ops.parameters, macs: ops.macs };
}

/** Interprets operators on shapes alone; records parameters and counts multiply-accumulates. */
class ShapeInference implements Ops<Shape> {
  readonly parameters = new Map<string, Shape>();
  macs = 0;

  shape(x: Shape): Shape {
    return x;
  }
  parameter(name: string, shape: Shape): Shape {
    const existing = this.parameters.get(name);
    if (existing && existing.join() !== shape.join())
      throw new RangeError(`parameter ${name} is used with shapes [${existing}] and [${shape}]`);
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
    const stated = shape.reduce((product, size) => (size === -1 ? product : product * size), 1);
    return shape.map((size) => (size === -1 ? shapes.elementCount(x) / stated : size));
  }
}
