import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('tfjs-program.ts', import.meta.url));
/** Where test/native-tensorflow/build leaves tfjs-node with libtensorflow. */
const native = fileURLToPath(new URL('../../../.toolchain/native-tensorflow', import.meta.url));

async function run(...args: string[]) {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, ...args], {
    env: { ...process.env, NODE_PATH: `${native}/node_modules` },
    maxBuffer: 1 << 24,
  });
  return JSON.parse(stdout);
}

const backends = [
  { backend: 'wasm', name: 'wasm', here: true, presets: ['edge'] },
  {
    backend: 'node',
    name: 'tensorflow',
    here: existsSync(`${native}/ready`),
    presets: ['edge', 'paper-compact'],
  },
] as const;

describe.each(backends)('TensorFlow.js on $backend', ({ backend, name, here, presets }) => {
  const test = it.skipIf(!here); // make native-tensorflow brings it

  test.each([...presets])(
    'computes with %s what PyTorch computes, layer group by layer group',
    async (preset) => {
      const result = await run(backend, 'parity', preset);
      expect(result).toMatchObject({ backend: name, missing: [], partings: [] });
      expect(result.scores).toBeLessThan(1e-4);
      expect(result.newest).toBeLessThan(1e-4);
    },
    600_000,
  );

  test('keeps its memory flat over 10,000 hops, and gives it back', async () => {
    const { seen, after } = await run(backend, 'leaks', '10000');
    expect(seen.length).toBe(10);
    for (const { numTensors, numBytes } of seen)
      expect({ numTensors, numBytes }).toEqual({
        numTensors: seen[0].numTensors,
        numBytes: seen[0].numBytes,
      });
    expect(after).toBe(0);
    // What is held behind the tensors: heaps grow in steps, a leak of three windows a hop would be more.
    expect(seen[9].rss - seen[1].rss).toBeLessThan(100 << 20);
  }, 600_000);
});
