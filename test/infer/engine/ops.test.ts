import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emitGraph } from '../../../src/infer/engine/onnx/emit-graph.ts';
import { OnnxSession } from '../../../src/infer/engine/onnx/session.ts';
import { loadTensorflow, type Tensorflow } from '../../../src/infer/engine/tfjs/backend.ts';
import { TfjsOps } from '../../../src/infer/engine/tfjs/ops.ts';
import { BATCH, type ConvOptions, type Ops } from '../../../src/infer/model/ops.ts';
import { randomWeights, uniform } from '../../../src/infer/weights/random-weights.ts';
import { maxAbsDifference } from './golden.ts';

let tf: Tensorflow;
beforeAll(async () => {
  tf = await loadTensorflow('cpu', 1);
});
afterAll(() => expect(tf.memory().numTensors).toBe(0));

type Describe = <T>(ops: Ops<T>, x: T) => T;
type Run = (shape: readonly number[], data: Float32Array, describe: Describe) => Promise<Float32Array>;

const onnx: Run = async (shape, data, describe) => {
  const graph = emitGraph(
    {
      name: 'op',
      inputs: { x: { element: 'float', shape: [BATCH, ...shape.slice(1)] } },
      parameters: randomWeights,
    },
    (ops, { x }) => ({ y: describe(ops, x) }),
  );
  const session = await OnnxSession.open(graph, { threads: 1 });
  const { y } = await session.run({ x: { data, shape } });
  await session.close();
  return y!.data;
};

const tfjs: Run = async (shape, data, describe) => {
  const ops = new TfjsOps(tf, randomWeights);
  const values = tf.tidy(() => describe(ops, tf.tensor(data, [...shape])).dataSync() as Float32Array);
  ops.dispose();
  return values;
};

/** Reference convolution by its definition: x (h, w, c) → (outH, outW, out), flattened. */
function convolve(
  x: Float32Array,
  [h, w, c]: readonly [number, number, number],
  options: ConvOptions,
  [top, left]: readonly [number, number],
  [outH, outW]: readonly [number, number],
): number[] {
  const { out, kernel: k, stride = 1, groups = 1 } = options;
  const [each, outEach] = [c / groups, out / groups];
  const weight = randomWeights.read('conv.weight', [out, each, k, k]);
  const bias = randomWeights.read('conv.bias', [out]);
  const y: number[] = [];
  for (let row = 0; row < outH; row++)
    for (let column = 0; column < outW; column++)
      for (let o = 0; o < out; o++) {
        let sum = bias[o]!;
        for (let i = 0; i < each; i++)
          for (let a = 0; a < k; a++)
            for (let b = 0; b < k; b++) {
              const [r, q] = [row * stride + a - top, column * stride + b - left];
              if (r < 0 || q < 0 || r >= h || q >= w) continue;
              const channel = Math.floor(o / outEach) * each + i;
              sum += x[(r * w + q) * c + channel]! * weight[((o * each + i) * k + a) * k + b]!;
            }
        y.push(sum);
      }
  return y;
}

const ONES = new Array<number>(32).fill(1);

describe.each([
  ['ONNX Runtime', onnx],
  ['TensorFlow.js', tfjs],
])('%s', (_, run) => {
  it.each<[string, [number, number, number], ConvOptions, [number, number], [number, number]]>([
    ['stem', [9, 8, 3], { out: 4, kernel: 3, stride: 2 }, [1, 1], [5, 4]],
    ['1×1 projection with a stride', [6, 6, 8], { out: 12, kernel: 1, stride: 2 }, [0, 0], [3, 3]],
    ['groups of 8', [5, 5, 32], { out: 32, kernel: 3, groups: 4 }, [1, 1], [5, 5]],
    ['odd number of groups of 8', [5, 5, 24], { out: 24, kernel: 3, groups: 3 }, [1, 1], [5, 5]],
    ['groups of 4 with a stride', [7, 7, 16], { out: 16, kernel: 3, groups: 4, stride: 2 }, [1, 1], [4, 4]],
    [
      'groups with more output than input channels',
      [4, 4, 16],
      { out: 32, kernel: 3, groups: 2 },
      [1, 1],
      [4, 4],
    ],
    ['depthwise 3×3', [6, 5, 8], { out: 8, kernel: 3, groups: 8 }, [1, 1], [6, 5]],
    [
      'TensorFlow’s SAME padding, even',
      [8, 8, 3],
      { out: 4, kernel: 5, stride: 2, padding: 'same' },
      [1, 1],
      [4, 4],
    ],
    [
      'TensorFlow’s SAME padding, odd',
      [7, 9, 3],
      { out: 4, kernel: 3, stride: 2, padding: 'same' },
      [1, 1],
      [4, 5],
    ],
    [
      'SAME padding, depthwise',
      [8, 8, 8],
      { out: 8, kernel: 3, groups: 8, stride: 2, padding: 'same' },
      [0, 0],
      [4, 4],
    ],
    ['no padding', [4, 4, 3], { out: 2, kernel: 3, padding: 0 }, [0, 0], [2, 2]],
  ])('conv equals its definition: %s', async (_name, [h, w, c], options, padding, size) => {
    const x = uniform('image', 2 * h * w * c);
    const y = await run([2, h, w, c], x, (ops, pixels) =>
      ops.tokens(
        ops.conv(ops.image(pixels, ONES.slice(0, c), new Array<number>(c).fill(0)), 'conv', {
          ...options,
          bias: true,
        }),
      ),
    );
    const expected = [0, 1].flatMap((n) =>
      convolve(x.subarray(n * h * w * c), [h, w, c], options, padding, size),
    );
    expect(y.length).toBe(expected.length);
    expect(maxAbsDifference(y, expected)).toBeLessThan(2e-5);
  });

  it('causal attention of the newest positions equals its definition', async () => {
    const [n, j, d, heads] = [2, 6, 8, 2];
    const x = uniform('causal', n * j * d);
    for (const i of [6, 2]) {
      const y = await run([n, j, d], x, (ops, all) =>
        ops.attention(i === j ? all : ops.slice(all, 1, j - i, j), all, all, heads, true),
      );
      const expected: number[] = [];
      for (let b = 0; b < n; b++)
        for (let p = j - i; p < j; p++)
          for (let at = 0; at < d; at++) {
            const first = Math.floor(at / (d / heads)) * (d / heads);
            const row = (position: number) => x.subarray((b * j + position) * d);
            const weights = Array.from({ length: p + 1 }, (_, key) => {
              let dot = 0;
              for (let e = first; e < first + d / heads; e++) dot += row(p)[e]! * row(key)[e]!;
              return Math.exp(dot / Math.sqrt(d / heads));
            });
            const total = weights.reduce((sum, weight) => sum + weight);
            expected.push(weights.reduce((sum, weight, key) => sum + (weight * row(key)[at]!) / total, 0));
          }
      expect(maxAbsDifference(y, expected)).toBeLessThan(1e-6);
    }
  });

  it('maxPool, pool, padChannels, concat and pad equal their definitions', async () => {
    const x = Float32Array.from({ length: 5 * 4 * 2 }, (_, i) => (i * 7) % 40); // 5 4 2
    const [scale, shift] = [
      [1, 1],
      [0, 0],
    ];
    const y = await run([1, 5, 4, 2], x, (ops, pixels) => {
      const image = ops.padChannels(ops.image(pixels, scale!, shift!), 3);
      return ops.pad(
        ops.concat([ops.tokens(ops.maxPool(image, 2, 2)), ops.tokens(ops.pool(image))], 1),
        1,
        1,
        0,
      );
    });
    const value = (row: number, column: number, channel: number) => x[(row * 4 + column) * 2 + channel]!;
    const expected = [0, 0, 0];
    for (const row of [0, 2])
      for (const column of [0, 2]) {
        for (const channel of [0, 1])
          expected.push(
            Math.max(...[0, 1].flatMap((a) => [0, 1].map((b) => value(row + a, column + b, channel)))),
          );
        expected.push(0);
      }
    for (const channel of [0, 1])
      expected.push(x.filter((_, i) => i % 2 === channel).reduce((sum, value) => sum + value) / 20);
    expected.push(0);
    expect(maxAbsDifference(y, expected)).toBeLessThan(1e-5);
    expect(y.length).toBe(expected.length);
  });
});

it('ONNX Runtime flushes denormals to zero', async () => {
  const denormals = new Float32Array([1e-40, 2e-38]);
  const sums = await onnx([2], denormals, (ops, x) => ops.add(x, x));
  expect([...sums]).toEqual([0, Math.fround(4e-38)]);
});
