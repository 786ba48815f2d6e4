import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** What of this host decides which engine a model runs on. */
export interface AvailableBackends {
  readonly nvidiaGpu: boolean;
  /** ONNX Runtime's CUDA provider, which its install script fetches where asked to. */
  readonly onnxCuda: boolean;
  readonly onnxTensorrt: boolean;
  /** @tensorflow/tfjs-node-gpu, @tensorflow/tfjs-node. */
  readonly tfjsNodeGpu: boolean;
  readonly tfjsNode: boolean;
}

export function probeBackends(): AvailableBackends {
  return {
    nvidiaGpu: existsSync('/dev/nvidiactl') || existsSync('/dev/dxg'),
    onnxCuda: hasExecutionProvider('cuda'),
    onnxTensorrt: hasExecutionProvider('tensorrt'),
    tfjsNodeGpu: isInstalled('@tensorflow/tfjs-node-gpu'),
    tfjsNode: isInstalled('@tensorflow/tfjs-node'),
  };
}

function hasExecutionProvider(name: string): boolean {
  const root = dirname(dirname(require.resolve('onnxruntime-node')));
  const library = `libonnxruntime_providers_${name}.so`;
  return existsSync(join(root, 'bin', 'napi-v6', process.platform, process.arch, library));
}

function isInstalled(name: string): boolean {
  try {
    require.resolve(`${name}/package.json`);
    return true;
  } catch {
    return false;
  }
}
