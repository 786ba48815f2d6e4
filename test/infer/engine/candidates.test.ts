import { describe, expect, it } from 'vitest';
import type { AvailableBackends } from '../../../src/infer/engine/backend-probe.ts';
import { engineCandidates } from '../../../src/infer/engine/candidates.ts';

const bare: AvailableBackends = {
  nvidiaGpu: false,
  onnxCuda: false,
  onnxTensorrt: false,
  tfjsNodeGpu: false,
  tfjsNode: false,
};
const auto = { engine: 'auto', device: 'auto', precision: 'auto' } as const;

const names = (...given: Parameters<typeof engineCandidates>) =>
  engineCandidates(...given).map(({ engine, device, precision }) => `${engine} ${device} ${precision}`);

describe('engine: auto', () => {
  it('is ONNX Runtime on the processor where there is no GPU', () => {
    expect(names(auto, bare)).toEqual(['onnx cpu fp32']);
    expect(engineCandidates(auto, bare)[0]!.why).toBe('no NVIDIA GPU found');
  });
  it('is CUDA in half precision where GPU and provider are here, with the processor to fall back on', () => {
    expect(names(auto, { ...bare, nvidiaGpu: true, onnxCuda: true })).toEqual([
      'onnx cuda fp16',
      'onnx cpu fp32',
    ]);
  });
  it('is TensorFlow on the GPU where only that can use it', () => {
    expect(names(auto, { ...bare, nvidiaGpu: true, tfjsNodeGpu: true })).toEqual([
      'tfjs gpu fp32',
      'onnx cpu fp32',
    ]);
  });
  it('does not take a provider for a GPU', () => {
    expect(names(auto, { ...bare, onnxCuda: true, tfjsNodeGpu: true })).toEqual(['onnx cpu fp32']);
  });
  it('keeps a precision that was asked for', () => {
    expect(names({ ...auto, precision: 'int8' }, { ...bare, nvidiaGpu: true, onnxCuda: true })).toEqual([
      'onnx cpu int8',
    ]);
  });
});

describe('engine: tfjs', () => {
  it('prefers native TensorFlow to WASM, and WASM to plain JavaScript', () => {
    expect(names({ ...auto, engine: 'tfjs' }, { ...bare, tfjsNode: true })).toEqual([
      'tfjs node fp32',
      'tfjs wasm fp32',
      'tfjs cpu fp32',
    ]);
  });
});

describe('what the host lacks', () => {
  it.each([
    [{ ...auto, device: 'cuda' }, /CUDA execution provider/],
    [{ ...auto, device: 'tensorrt' }, /TensorRT execution provider/],
    [{ ...auto, engine: 'tfjs', device: 'cuda' }, /tfjs-node-gpu/],
    [{ ...auto, engine: 'tfjs', device: 'webgpu' }, /webgpu in TensorFlow/],
    [{ ...auto, engine: 'tfjs', precision: 'fp16' }, /fp16 in TensorFlow/],
    [{ ...auto, device: 'webgpu', precision: 'int8' }, /int8 on webgpu/],
  ] as const)('is refused by name: %o', (wish, message) => {
    expect(() => engineCandidates(wish, bare)).toThrow(message);
    expect(() => engineCandidates(wish, bare)).toThrow(
      expect.objectContaining({ code: 'ENGINE_UNAVAILABLE', fix: expect.any(String) }),
    );
  });
});
