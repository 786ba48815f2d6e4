import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { blazeFace } from '../../../src/detect/nets/blazeface.ts';
import { faceMesh } from '../../../src/detect/nets/facemesh.ts';
import { faceParameters } from '../../../src/detect/weights.ts';
import { emitGraph } from '../../../src/infer/engine/onnx/emit-graph.ts';
import { OnnxSession } from '../../../src/infer/engine/onnx/session.ts';
import { BATCH, type Ops } from '../../../src/infer/model/ops.ts';

/** Outputs of TensorFlow.js for the same input and weights; made by test/fixtures/detect/networks.mjs. */
const expected: Record<'scores' | 'boxes' | 'landmarks' | 'presence', number[]> = JSON.parse(
  readFileSync(new URL('../../fixtures/detect/networks.json', import.meta.url), 'utf8'),
);

/** The same synthetic picture as in networks.mjs, (size, size, 3) bytes. */
function waves(size: number): Uint8Array {
  return Uint8Array.from({ length: size * size * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % size, Math.floor(i / 3 / size)];
    return Math.round(127 + 60 * Math.sin(x / (9 + 4 * c)) + 60 * Math.cos((x + 2 * y) / (17 - 3 * c)));
  });
}

async function run(
  model: 'blazeface' | 'facemesh',
  size: number,
  describe: <T>(ops: Ops<T>, pixels: T) => object,
) {
  const graph = emitGraph(
    {
      name: model,
      inputs: { pixels: { element: 'uint8', shape: [BATCH, size, size, 3] } },
      parameters: faceParameters(model),
    },
    (ops, { pixels }) => ({ ...describe(ops, pixels) }),
  );
  const session = await OnnxSession.open(graph, { threads: 1 });
  // The same input twice in one batch: batch items must not affect each other.
  const data = new Uint8Array([...waves(size), ...waves(size)]);
  const outputs = await session.run({ pixels: { data, shape: [2, size, size, 3] } });
  await session.close();
  /** Every `stride`-th value of an output. */
  return (name: string, stride: number) => {
    const all = outputs[name]!.data;
    const half = all.length / 2;
    expect(all.slice(half)).toEqual(all.slice(0, half));
    return Array.from(all.subarray(0, half)).filter((_, i) => i % stride === 0);
  };
}

function expectClose(actual: number[], reference: number[], tolerance: number): void {
  expect(actual.length).toBe(reference.length);
  actual.forEach((value, i) => {
    expect(Math.abs(value - reference[i]!)).toBeLessThan(tolerance * Math.max(1, Math.abs(reference[i]!)));
  });
}

test('BlazeFace matches TensorFlow.js', async () => {
  const output = await run('blazeface', 256, blazeFace);
  expectClose(output('scores', 7), expected.scores, 1e-4);
  expectClose(output('boxes', 101), expected.boxes, 1e-4);
});

test('the face mesh matches TensorFlow.js', async () => {
  const output = await run('facemesh', 192, faceMesh);
  expectClose(output('landmarks', 11), expected.landmarks, 1e-4);
  expectClose(output('presence', 1), expected.presence, 1e-4);
});

test('a missing parameter is named with its shape', () => {
  expect(() => faceParameters('blazeface').read('block0.depthwise.weight', [24, 1, 5, 5])).toThrow(
    /block0\.depthwise\.weight of shape \[24,1,5,5\]/,
  );
});
