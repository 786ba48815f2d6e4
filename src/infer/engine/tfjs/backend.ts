import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import util from 'node:util';

const require = createRequire(import.meta.url);

/** TensorFlow.js as the engine uses it, whichever package it comes from. */
export type Tensorflow = typeof import('@tensorflow/tfjs-core');

/** gpu and node: native TensorFlow, by @tensorflow/tfjs-node-gpu and @tensorflow/tfjs-node. */
export type TfjsBackend = 'gpu' | 'node' | 'wasm' | 'cpu';

/** Loads TensorFlow.js with a backend. One process has one backend: TensorFlow.js keeps it in a global. */
export async function loadTensorflow(backend: TfjsBackend, threads: number): Promise<Tensorflow> {
  if (backend === 'gpu' || backend === 'node') return loadTfjsNode(backend);
  const tf: Tensorflow = require('@tensorflow/tfjs-core');
  require(`@tensorflow/tfjs-backend-${backend}`);
  if (backend === 'wasm') {
    const wasm: typeof import('@tensorflow/tfjs-backend-wasm') = require('@tensorflow/tfjs-backend-wasm');
    const files = dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'));
    wasm.setWasmPaths(join(files, 'dist', '/'));
    wasm.setThreadsCount(threads || availableParallelism());
  }
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here`);
  await tf.ready();
  return tf;
}

async function loadTfjsNode(backend: 'gpu' | 'node'): Promise<Tensorflow> {
  // tfjs-node 4.22 calls what Node 23 took away.
  const legacy = util as { isNullOrUndefined?: (value: unknown) => boolean; isArray?: typeof Array.isArray };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  legacy.isArray ??= Array.isArray;
  // Its start-up notices are no concern of whoever reads this process's standard error.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  const tf: Tensorflow = require(backend === 'gpu' ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node');
  await tf.ready();
  if (tf.getBackend() !== 'tensorflow') throw new Error('tfjs-node did not take its backend');
  return tf;
}
