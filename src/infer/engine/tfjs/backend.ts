import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import util from 'node:util';

const require = createRequire(import.meta.url);

/** The TensorFlow.js API that the engine uses, from any of its packages. */
export type Tensorflow = typeof import('@tensorflow/tfjs-core');

/**
 * gpu, node: native TensorFlow (@tensorflow/tfjs-node-gpu, @tensorflow/tfjs-node). wasm, cpu: WebAssembly, JavaScript.
 */
export type TfjsBackend = 'gpu' | 'node' | 'wasm' | 'cpu';

/**
 * Loads TensorFlow.js with a backend. A process can use one backend: TensorFlow.js keeps it in a global. Rejects if the
 * backend is not available. `threads` is for wasm; 0: one per core.
 */
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
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js cannot load its backend ${backend}`);
  await tf.ready();
  return tf;
}

async function loadTfjsNode(backend: 'gpu' | 'node'): Promise<Tensorflow> {
  // tfjs-node 4.22 calls functions of node:util that Node 23 removed.
  const legacy = util as { isNullOrUndefined?: (value: unknown) => boolean; isArray?: typeof Array.isArray };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  legacy.isArray ??= Array.isArray;
  // Level 2 hides TensorFlow's start-up notices on standard error.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  const tf: Tensorflow = require(backend === 'gpu' ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node');
  await tf.ready();
  if (tf.getBackend() !== 'tensorflow') throw new Error('tfjs-node did not register its backend tensorflow');
  return tf;
}
