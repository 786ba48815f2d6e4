import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** The GPU and the inference backends found on this host. */
export interface AvailableBackends {
  readonly nvidiaGpu: boolean;
  /** ONNX Runtime's CUDA execution provider; its install script downloads it on request. */
  readonly onnxCuda: boolean;
  /** ONNX Runtime's TensorRT execution provider. */
  readonly onnxTensorrt: boolean;
  /** Package @tensorflow/tfjs-node-gpu. */
  readonly tfjsNodeGpu: boolean;
  /** Package @tensorflow/tfjs-node. */
  readonly tfjsNode: boolean;
}

/** Looks for device files, shared libraries and packages; loads none of them. */
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
