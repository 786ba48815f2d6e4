import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Host, lookAtHost } from './backend-probe.ts';
import type { Measurement } from './measure.ts';
import type { EngineChoice } from './model.ts';
import type { ModelChoice } from './model-source.ts';

export type Way = Pick<EngineChoice, 'engine' | 'device' | 'precision'>;

export interface BenchOptions extends ModelChoice {
  readonly hop: number;
  readonly threads: number;
  /** About how long each figure is measured. */
  readonly seconds: number;
}

export type BenchResult = Way &
  ((Measurement & { readonly peakMemoryMb: number }) | { readonly failed: string });

/** Every engine, device and precision that this host seems to have. */
export function waysOf(host: Host = lookAtHost()): Way[] {
  const onnx = (device: string, ...precisions: Way['precision'][]): Way[] =>
    precisions.map((precision) => ({ engine: 'onnx', device, precision }));
  const tfjs = (device: string): Way => ({ engine: 'tfjs', device, precision: 'fp32' });
  return [
    ...onnx('cpu', 'fp32', 'fp16', 'int8'),
    ...(host.nvidia && host.onnxCuda ? onnx('cuda', 'fp32', 'fp16') : []),
    ...(host.nvidia && host.onnxTensorrt ? onnx('tensorrt', 'fp16') : []),
    ...(host.nvidia && host.tfjsGpu ? [tfjs('gpu')] : []),
    ...(host.tfjsNode ? [tfjs('node')] : []),
    tfjs('wasm'),
  ];
}

/** Measures one way in a process of its own, so that its peak memory is its own. */
export async function benchWay(way: Way, options: BenchOptions): Promise<BenchResult> {
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
