import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('tfjs-program.ts', import.meta.url));
/** Where `make native-tensorflow` (test/native-tensorflow/build) installs tfjs-node with libtensorflow. */
const nativeTensorflow = fileURLToPath(new URL('../../../.toolchain/native-tensorflow', import.meta.url));
/** The build writes this file last. */
const nativeTensorflowBuilt = existsSync(`${nativeTensorflow}/ready`);

async function run(...args: string[]) {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, ...args], {
    env: { ...process.env, NODE_PATH: `${nativeTensorflow}/node_modules` },
    maxBuffer: 1 << 24,
  });
  return JSON.parse(stdout);
}

/** `name`: TensorFlow.js's name of the backend. `skipReason` becomes part of the suite's title. */
const backends = [
  { backend: 'wasm', name: 'wasm', presets: ['edge'], skipReason: null },
  {
    backend: 'node',
    name: 'tensorflow',
    presets: ['edge', 'paper-compact'],
    skipReason: nativeTensorflowBuilt ? null : 'native TensorFlow is not built; run: make native-tensorflow',
  },
] as const;

for (const { backend, name, presets, skipReason } of backends)
  describe.skipIf(skipReason !== null)(
    `TensorFlow.js on ${backend}${skipReason === null ? '' : ` (skipped: ${skipReason})`}`,
    () => {
      it.each([...presets])(
        'matches PyTorch layer by layer: preset %s',
        async (preset) => {
          const result = await run(backend, 'parity', preset);
          expect(result).toMatchObject({ backend: name, missing: [], mismatches: [] });
          expect(result.scores).toBeLessThan(1e-4);
          expect(result.newest).toBeLessThan(1e-4);
        },
        600_000,
      );

      it('leaks no memory over 10,000 hops, and frees it on close', async () => {
        const { samples, after } = await run(backend, 'leaks', '10000');
        expect(samples.length).toBe(10);
        for (const { numTensors, numBytes } of samples)
          expect({ numTensors, numBytes }).toEqual({
            numTensors: samples[0].numTensors,
            numBytes: samples[0].numBytes,
          });
        expect(after).toBe(0);
        // Memory behind the tensors: heaps grow in steps, but a leak of three windows per hop would exceed this.
        expect(samples[9].rss - samples[1].rss).toBeLessThan(100 << 20);
      }, 600_000);
    },
  );
