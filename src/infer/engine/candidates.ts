import { AustreamError } from '../../errors.ts';
import type { InferOptions } from '../options.ts';
import { type AvailableBackends, probeBackends } from './backend-probe.ts';
import type { EngineChoice } from './model.ts';

type EngineRequest = Pick<InferOptions, 'engine' | 'device' | 'precision'>;

/**
 * The engine candidates that the options allow and the host's backends support, best first. Never empty. Throws
 * ENGINE_UNAVAILABLE if the host lacks an engine, device or precision that the options name.
 */
export function engineCandidates(
  request: EngineRequest,
  backends: AvailableBackends = probeBackends(),
): EngineChoice[] {
  const candidates =
    request.engine === 'tfjs' ? tfjsCandidates(request, backends) : onnxCandidates(request, backends);
  for (const candidate of candidates) assertPrecisionSupported(candidate);
  return candidates;
}

function onnxCandidates(
  { engine, device, precision }: EngineRequest,
  backends: AvailableBackends,
): EngineChoice[] {
  const candidate = (device: string, why: string): EngineChoice => ({
    engine: 'onnx',
    device,
    precision: precision !== 'auto' ? precision : device === 'cpu' ? 'fp32' : 'fp16',
    why,
  });
  if (device !== 'auto') {
    if (device === 'cuda' && !backends.onnxCuda)
      throw unavailable("ONNX Runtime's CUDA execution provider", CUDA_FIX);
    if (device === 'tensorrt' && !backends.onnxTensorrt)
      throw unavailable("ONNX Runtime's TensorRT execution provider", CUDA_FIX);
    return [candidate(device, `infer.device is ${device}`)];
  }
  if (!backends.nvidiaGpu) return [candidate('cpu', 'no NVIDIA GPU found')];
  const candidates: EngineChoice[] = [];
  // int8 is supported on CPUs only; GPUs are faster in fp16.
  if (backends.onnxCuda && precision !== 'int8')
    candidates.push(candidate('cuda', "NVIDIA GPU and ONNX Runtime's CUDA execution provider found"));
  if (engine === 'auto' && backends.tfjsNodeGpu && (precision === 'auto' || precision === 'fp32'))
    candidates.push({
      engine: 'tfjs',
      device: 'gpu',
      precision: 'fp32',
      why: "NVIDIA GPU and tfjs-node-gpu found, ONNX Runtime's CUDA execution provider not found",
    });
  candidates.push(candidate('cpu', 'NVIDIA GPU found, but no engine that can use it'));
  return candidates;
}

function tfjsCandidates({ device, precision }: EngineRequest, backends: AvailableBackends): EngineChoice[] {
  const candidate = (device: string, why: string): EngineChoice => ({
    engine: 'tfjs',
    device,
    precision: precision === 'auto' ? 'fp32' : precision,
    why,
  });
  if (device === 'cuda') {
    if (!backends.tfjsNodeGpu)
      throw unavailable(
        '@tensorflow/tfjs-node-gpu',
        'npm install @tensorflow/tfjs-node-gpu, or device: auto',
      );
    return [candidate('gpu', 'infer.device is cuda')];
  }
  if (device !== 'auto' && device !== 'cpu')
    throw unavailable(`device ${device} in TensorFlow.js`, 'use engine: onnx, or device: auto, cpu or cuda');
  const candidates: EngineChoice[] = [];
  if (device === 'auto' && backends.nvidiaGpu && backends.tfjsNodeGpu)
    candidates.push(candidate('gpu', 'NVIDIA GPU and tfjs-node-gpu found'));
  if (backends.tfjsNode) candidates.push(candidate('node', 'tfjs-node found'));
  candidates.push(
    candidate('wasm', 'no native TensorFlow found'),
    candidate('cpu', 'no faster backend opened'),
  );
  return candidates;
}

function assertPrecisionSupported({ engine, device, precision }: EngineChoice): void {
  if (engine === 'tfjs' && precision !== 'fp32')
    throw unavailable(`${precision} in TensorFlow.js`, 'use engine: onnx, or precision: fp32');
  if (precision === 'int8' && device !== 'cpu')
    throw unavailable(`int8 on ${device}`, 'use precision: fp16, or device: cpu');
}

const CUDA_FIX = 'run bin/onnxruntime-cuda, or use device: auto';

function unavailable(feature: string, fix: string): AustreamError {
  return new AustreamError('ENGINE_UNAVAILABLE', `${feature} is not available on this host`, { fix });
}
