import { describe, expect, it } from 'vitest';
import type { AvailableBackends } from '../../../src/infer/engine/backend-probe.ts';
import { engineCandidates } from '../../../src/infer/engine/candidates.ts';

const noBackends: AvailableBackends = {
  nvidiaGpu: false,
  onnxCuda: false,
  onnxTensorrt: false,
  tfjsNodeGpu: false,
  tfjsNode: false,
};
const auto = { engine: 'auto', device: 'auto', precision: 'auto' } as const;

const candidateNames = (...args: Parameters<typeof engineCandidates>) =>
  engineCandidates(...args).map(({ engine, device, precision }) => `${engine} ${device} ${precision}`);

describe('engine: auto', () => {
  it('is ONNX Runtime on the CPU without a GPU', () => {
    expect(candidateNames(auto, noBackends)).toEqual(['onnx cpu fp32']);
    expect(engineCandidates(auto, noBackends)[0]!.why).toBe('no NVIDIA GPU found');
  });
  it('is CUDA in fp16 with a GPU and the execution provider, falling back to the CPU', () => {
    expect(candidateNames(auto, { ...noBackends, nvidiaGpu: true, onnxCuda: true })).toEqual([
      'onnx cuda fp16',
      'onnx cpu fp32',
    ]);
  });
  it('is TensorFlow on the GPU if only tfjs-node-gpu can use it', () => {
    expect(candidateNames(auto, { ...noBackends, nvidiaGpu: true, tfjsNodeGpu: true })).toEqual([
      'tfjs gpu fp32',
      'onnx cpu fp32',
    ]);
  });
  it('needs a GPU, not only its execution provider', () => {
    expect(candidateNames(auto, { ...noBackends, onnxCuda: true, tfjsNodeGpu: true })).toEqual([
      'onnx cpu fp32',
    ]);
  });
  it('keeps the configured precision', () => {
    expect(
      candidateNames({ ...auto, precision: 'int8' }, { ...noBackends, nvidiaGpu: true, onnxCuda: true }),
    ).toEqual(['onnx cpu int8']);
  });
});

describe('engine: tfjs', () => {
  it('prefers native TensorFlow to WebAssembly, and WebAssembly to JavaScript', () => {
    expect(candidateNames({ ...auto, engine: 'tfjs' }, { ...noBackends, tfjsNode: true })).toEqual([
      'tfjs node fp32',
      'tfjs wasm fp32',
      'tfjs cpu fp32',
    ]);
  });
});

describe('a backend that the host lacks', () => {
  it.each([
    [{ ...auto, device: 'cuda' }, /CUDA execution provider/],
    [{ ...auto, device: 'tensorrt' }, /TensorRT execution provider/],
    [{ ...auto, engine: 'tfjs', device: 'cuda' }, /tfjs-node-gpu/],
    [{ ...auto, engine: 'tfjs', device: 'webgpu' }, /webgpu in TensorFlow/],
    [{ ...auto, engine: 'tfjs', precision: 'fp16' }, /fp16 in TensorFlow/],
    [{ ...auto, device: 'webgpu', precision: 'int8' }, /int8 on webgpu/],
  ] as const)('throws ENGINE_UNAVAILABLE and names it: %o', (request, message) => {
    expect(() => engineCandidates(request, noBackends)).toThrow(message);
    expect(() => engineCandidates(request, noBackends)).toThrow(
      expect.objectContaining({ code: 'ENGINE_UNAVAILABLE', fix: expect.any(String) }),
    );
  });
});
