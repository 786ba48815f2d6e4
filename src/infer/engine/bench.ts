import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type AvailableBackends, probeBackends } from './backend-probe.ts';
import type { Measurement } from './measure.ts';
import type { EngineChoice } from './model.ts';
import type { ModelSelector } from './model-source.ts';

export type EngineConfig = Pick<EngineChoice, 'engine' | 'device' | 'precision'>;

export interface BenchOptions extends ModelSelector {
  readonly hop: number;
  readonly threads: number;
  /** About how long each figure is measured. */
  readonly seconds: number;
}

export type BenchResult = EngineConfig &
  ((Measurement & { readonly peakMemoryMb: number }) | { readonly failed: string });

/** Every engine, device and precision that this host seems to have. */
export function availableEngineConfigs(host: AvailableBackends = probeBackends()): EngineConfig[] {
  const onnx = (device: string, ...precisions: EngineConfig['precision'][]): EngineConfig[] =>
    precisions.map((precision) => ({ engine: 'onnx', device, precision }));
  const tfjs = (device: string): EngineConfig => ({ engine: 'tfjs', device, precision: 'fp32' });
  return [
    ...onnx('cpu', 'fp32', 'fp16', 'int8'),
    ...(host.nvidiaGpu && host.onnxCuda ? onnx('cuda', 'fp32', 'fp16') : []),
    ...(host.nvidiaGpu && host.onnxTensorrt ? onnx('tensorrt', 'fp16') : []),
    ...(host.nvidiaGpu && host.tfjsNodeGpu ? [tfjs('gpu')] : []),
    ...(host.tfjsNode ? [tfjs('node')] : []),
    tfjs('wasm'),
  ];
}

/** Measures one way in a process of its own, so that its peak memory is its own. */
export async function benchmarkEngine(way: EngineConfig, options: BenchOptions): Promise<BenchResult> {
  const program = fileURLToPath(new URL('bench-child.ts', import.meta.url));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [
      program,
      JSON.stringify({ ...options, way }),
    ]);
    return { ...way, ...JSON.parse(stdout) };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { ...way, failed: (stderr || message).trim().split('\n').at(-1)! };
  }
}
