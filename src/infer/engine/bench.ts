import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type AvailableBackends, probeBackends } from './backend-probe.ts';
import type { Measurement } from './measure.ts';
import type { EngineChoice } from './model.ts';
import type { ModelSelector } from './model-source.ts';

/** One way to run a model: engine, device and precision. */
export type EngineConfig = Pick<EngineChoice, 'engine' | 'device' | 'precision'>;

export interface BenchOptions extends ModelSelector {
  readonly hop: number;
  readonly threads: number;
  /** Approximate measuring time of each figure. */
  readonly seconds: number;
}

/** The measurement, or why the configuration failed. */
export type BenchResult = EngineConfig &
  ((Measurement & { readonly peakMemoryMb: number }) | { readonly failed: string });

/** Every configuration of engine, device and precision that the probed backends allow. */
export function availableEngineConfigs(backends: AvailableBackends = probeBackends()): EngineConfig[] {
  const onnx = (device: string, ...precisions: EngineConfig['precision'][]): EngineConfig[] =>
    precisions.map((precision) => ({ engine: 'onnx', device, precision }));
  const tfjs = (device: string): EngineConfig => ({ engine: 'tfjs', device, precision: 'fp32' });
  return [
    ...onnx('cpu', 'fp32', 'fp16', 'int8'),
    ...(backends.nvidiaGpu && backends.onnxCuda ? onnx('cuda', 'fp32', 'fp16') : []),
    ...(backends.nvidiaGpu && backends.onnxTensorrt ? onnx('tensorrt', 'fp16') : []),
    ...(backends.nvidiaGpu && backends.tfjsNodeGpu ? [tfjs('gpu')] : []),
    ...(backends.tfjsNode ? [tfjs('node')] : []),
    tfjs('wasm'),
  ];
}

/** Measures one configuration in a child process, so that its peak memory can be read. Never rejects. */
export async function benchmarkEngine(config: EngineConfig, options: BenchOptions): Promise<BenchResult> {
  const program = fileURLToPath(new URL('bench-child.ts', import.meta.url));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [
      program,
      JSON.stringify({ ...options, config }),
    ]);
    return { ...config, ...JSON.parse(stdout) };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { ...config, failed: (stderr || message).trim().split('\n').at(-1)! };
  }
}
