import { AustreamError } from '../../errors.ts';
import type { InferOptions } from '../options.ts';
import { type AvailableBackends, probeBackends } from './backend-probe.ts';
import type { EngineChoice } from './model.ts';

type EngineRequest = Pick<InferOptions, 'engine' | 'device' | 'precision'>;

/**
 * The ways to run a model that the options allow and this host seems to have, best first; the first that opens is
 * taken. Never empty: throws ENGINE_UNAVAILABLE where the host lacks what was asked for by name.
 */
export function engineCandidates(
  wish: EngineRequest,
  host: AvailableBackends = probeBackends(),
): EngineChoice[] {
  const choices = wish.engine === 'tfjs' ? tfjsCandidates(wish, host) : onnxCandidates(wish, host);
  for (const choice of choices) assertPrecisionSupported(choice);
  return choices;
}

function onnxCandidates(
  { engine, device, precision }: EngineRequest,
  host: AvailableBackends,
): EngineChoice[] {
  const on = (device: string, why: string): EngineChoice => ({
    engine: 'onnx',
    device,
    precision: precision !== 'auto' ? precision : device === 'cpu' ? 'fp32' : 'fp16',
    why,
  });
  if (device !== 'auto') {
    if (device === 'cuda' && !host.onnxCuda) throw unavailable("ONNX Runtime's CUDA provider", CUDA_FIX);
    if (device === 'tensorrt' && !host.onnxTensorrt)
      throw unavailable("ONNX Runtime's TensorRT provider", CUDA_FIX);
    return [on(device, `infer.device is ${device}`)];
  }
  if (!host.nvidiaGpu) return [on('cpu', 'no NVIDIA GPU is here')];
  const choices: EngineChoice[] = [];
  // Integers are for processors; a GPU is faster in half precision.
  if (host.onnxCuda && precision !== 'int8')
    choices.push(on('cuda', "an NVIDIA GPU and ONNX Runtime's CUDA provider are here"));
  if (engine === 'auto' && host.tfjsNodeGpu && (precision === 'auto' || precision === 'fp32'))
    choices.push({
      engine: 'tfjs',
      device: 'gpu',
      precision: 'fp32',
      why: "an NVIDIA GPU and tfjs-node-gpu are here, ONNX Runtime's CUDA provider is not",
    });
  choices.push(on('cpu', 'an NVIDIA GPU is here, but no engine that could use it'));
  return choices;
}

function tfjsCandidates({ device, precision }: EngineRequest, host: AvailableBackends): EngineChoice[] {
  const on = (device: string, why: string): EngineChoice => ({
    engine: 'tfjs',
    device,
    precision: precision === 'auto' ? 'fp32' : precision,
    why,
  });
  if (device === 'cuda') {
    if (!host.tfjsNodeGpu)
      throw unavailable(
        '@tensorflow/tfjs-node-gpu',
        'npm install @tensorflow/tfjs-node-gpu, or device: auto',
      );
    return [on('gpu', 'infer.device is cuda')];
  }
  if (device !== 'auto' && device !== 'cpu')
    throw unavailable(`device ${device} in TensorFlow.js`, 'use engine: onnx, or device: auto, cpu or cuda');
  const choices: EngineChoice[] = [];
  if (device === 'auto' && host.nvidiaGpu && host.tfjsNodeGpu)
    choices.push(on('gpu', 'an NVIDIA GPU and tfjs-node-gpu are here'));
  if (host.tfjsNode) choices.push(on('node', 'tfjs-node is here'));
  choices.push(on('wasm', 'no native TensorFlow is here'), on('cpu', 'nothing faster opened'));
  return choices;
}

function assertPrecisionSupported({ engine, device, precision }: EngineChoice): void {
  if (engine === 'tfjs' && precision !== 'fp32')
    throw unavailable(`${precision} in TensorFlow.js`, 'use engine: onnx, or precision: fp32');
  if (precision === 'int8' && device !== 'cpu')
    throw unavailable(`int8 on ${device}`, 'use precision: fp16 there, or device: cpu');
}

const CUDA_FIX = 'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node, or use device: auto';

function unavailable(what: string, fix: string): AustreamError {
  return new AustreamError('ENGINE_UNAVAILABLE', `${what} is not available here`, { fix });
}
