import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Ops } from '../../../src/infer/model/ops.ts';
import { uniform } from '../../../src/infer/weights/random-weights.ts';

/** Evenly spaced values of an output computed by PyTorch, written by training/austream_training/golden.py. */
export interface Sample {
  readonly shape: readonly number[];
  /** Largest magnitude of the whole output; relative errors refer to it. */
  readonly largest: number;
  readonly values: readonly number[];
}

export interface EnsembleFixture {
  readonly parameters: Readonly<Record<string, number>>;
  readonly embeddings: Sample;
  readonly scores: Readonly<Record<'vivit' | 'fused' | 'branch1' | 'ensemble', Sample>>;
  /** Scores of the newest 16 frames, (16, 12). */
  readonly newest: readonly number[];
  /** Outputs of intermediate layers by parameter name. */
  readonly taps: Readonly<Record<string, Sample>>;
}

export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../fixtures/model/${name}.json`, import.meta.url), 'utf8'));
}

/** The crops (n, 112, 112, 3) of golden.py: noise over a diagonal ramp. */
export function goldenCrops(name: string, n: number): Uint8Array {
  return Uint8Array.from(uniform(name, n * 112 * 112 * 3), (u, i) => {
    const pixel = Math.floor(i / 3);
    return Math.floor(u * 60 + 60 + ((pixel % 112) + (Math.floor(pixel / 112) % 112)) * 0.6);
  });
}

/** Largest absolute difference between `a` and the first `a.length` values of `b`. */
export function maxAbsDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let max = 0;
  for (let i = 0; i < a.length; i++) max = Math.max(max, Math.abs(a[i]! - b[i]!));
  return max;
}

/** Largest absolute difference at the sampled positions. */
export function maxSampleError(values: Float32Array, expected: Sample): number {
  const size = expected.shape.reduce((product, n) => product * n, 1);
  expect(values.length).toBe(size);
  return Math.max(
    ...expected.values.map((value, i) =>
      Math.abs(value - values[Math.floor((i * size) / expected.values.length)]!),
    ),
  );
}

/** Layers whose relative error exceeds `tolerance`, in the order of the graph: the first is the cause. */
export function layerMismatches(
  outputs: ReadonlyMap<string, Float32Array>,
  taps: Readonly<Record<string, Sample>>,
  tolerance: number,
): string[] {
  return Object.entries(taps)
    .filter(([name]) => outputs.has(name))
    .map(([name, expected]) => ({
      name,
      error: maxSampleError(outputs.get(name)!, expected) / expected.largest,
    }))
    .filter(({ error }) => !(error <= tolerance))
    .map(({ name, error }) => `${name}: ${error.toExponential(1)}`);
}

/** Wraps operators to record the outputs of the layers with these names (as forward hooks in PyTorch), as tensors. */
export function recordLayerOutputs<T>(
  ops: Ops<T>,
  names: ReadonlySet<string>,
): { ops: Ops<T>; outputs: Map<string, T> } {
  const outputs = new Map<string, T>();
  const recording = new Proxy(ops, {
    get(target, key) {
      const operator = target[key as keyof Ops<T>] as (...args: unknown[]) => T;
      return (...args: unknown[]) => {
        const result = operator.apply(target, args);
        const name = args[1];
        if (typeof name === 'string' && names.has(name))
          outputs.set(name, ops.shape(result).length === 4 ? ops.tokens(result) : result);
        return result;
      };
    },
  });
  return { ops: recording, outputs };
}
