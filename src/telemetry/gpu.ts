import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Meter } from '@opentelemetry/api';
import { monotonicMs } from '../clock.ts';

const QUERY = ['--query-gpu=index,utilization.gpu,memory.used,memory.total', '--format=csv,noheader,nounits'];
/** A reading is reused for this long. */
const MAX_AGE_MS = 5_000;
const run = promisify(execFile);

interface Gpu {
  readonly index: string;
  /** 0…1. */
  readonly utilization: number;
  readonly usedBytes: number;
  readonly totalBytes: number;
}

/** Runs nvidia-smi when the metrics are read; where it is not installed, only once. */
export class GpuReader {
  readonly #command: string;
  #notInstalled = false;
  #reading: { at: number; gpus: readonly Gpu[] } = { at: Number.NEGATIVE_INFINITY, gpus: [] };

  constructor(command = 'nvidia-smi') {
    this.#command = command;
  }

  /** Creates the gauges, named after OpenTelemetry's semantic conventions for hardware. */
  record(meter: Meter): void {
    const utilization = meter.createObservableGauge('hw.gpu.utilization', {
      unit: '1',
      description: 'Share of the GPU’s time in use',
    });
    const usage = meter.createObservableGauge('hw.gpu.memory.usage', {
      unit: 'By',
      description: 'GPU memory in use',
    });
    const limit = meter.createObservableGauge('hw.gpu.memory.limit', {
      unit: 'By',
      description: 'GPU memory',
    });
    meter.addBatchObservableCallback(
      async (result) => {
        for (const gpu of await this.gpus()) {
          const attributes = { 'hw.id': gpu.index };
          result.observe(utilization, gpu.utilization, attributes);
          result.observe(usage, gpu.usedBytes, attributes);
          result.observe(limit, gpu.totalBytes, attributes);
        }
      },
      [utilization, usage, limit],
    );
  }

  async gpus(): Promise<readonly Gpu[]> {
    if (this.#notInstalled || monotonicMs() - this.#reading.at < MAX_AGE_MS) return this.#reading.gpus;
    try {
      const { stdout } = await run(this.#command, QUERY, { timeout: 2_000 });
      this.#reading = { at: monotonicMs(), gpus: parseGpus(stdout) };
    } catch (error) {
      this.#notInstalled = (error as NodeJS.ErrnoException).code === 'ENOENT';
      this.#reading = { at: monotonicMs(), gpus: [] };
    }
    return this.#reading.gpus;
  }
}

/** Parses lines `0, 37, 1024, 81559`: index, per cent, MiB used, MiB in total. A missing value (`[N/A]`) counts as 0. */
export function parseGpus(csv: string): Gpu[] {
  return csv
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [index = '', ...cells] = line.split(',').map((cell) => cell.trim());
      const [utilization = 0, used = 0, total = 0] = cells.map((cell) => Number(cell) || 0);
      return {
        index,
        utilization: utilization / 100,
        usedBytes: used * 2 ** 20,
        totalBytes: total * 2 ** 20,
      };
    });
}
