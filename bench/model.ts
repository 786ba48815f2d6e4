/**
 * Benchmarks of the model, as ratios within one run: incremental inference (each crop embedded once) against a full
 * recompute, ONNX Runtime against PyTorch eager with the same weights and threads, and every engine of this host.
 *
 *   node bench/model.ts [compare | engines] [--torch PYTHON] [--rounds N] [--threads N]
 *
 * PYTHON: an interpreter with training/requirements.txt (default: training/.venv/bin/python). Without it the comparison
 * with PyTorch is skipped.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchTable } from '../src/commands/model.ts';
import { CROP_BYTES } from '../src/domain/face.ts';
import { availableEngineConfigs, benchmarkEngine } from '../src/infer/engine/bench.ts';
import { OnnxEngine } from '../src/infer/engine/onnx/engine.ts';
import { embeddingSize, type PresetName, preset } from '../src/infer/model/architecture.ts';
import { randomWeights, uniform } from '../src/infer/weights/random-weights.ts';

const training = fileURLToPath(new URL('../training', import.meta.url));
const {
  values: flags,
  positionals: [section],
} = parseArgs({
  allowPositionals: true,
  options: {
    torch: { type: 'string', default: `${training}/.venv/bin/python` },
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
});
const threads = Number(flags.threads);
const rounds = Number(flags.rounds);
const HOP = 16;

/**
 * Wall-clock and CPU time in milliseconds. On a shared machine only CPU time is comparable, and only with one thread,
 * because waiting threads may spin.
 */
interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

function median(costs: readonly Cost[], clock: keyof Cost): number {
  const sorted = costs.map((cost) => cost[clock]).sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

async function measureCost(work: () => Promise<unknown>): Promise<Cost> {
  const before = process.cpuUsage();
  const start = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wall: performance.now() - start, cpu: (user + system) / 1_000 };
}

/** Measures incremental and full inference and PyTorch's encoders, interleaved, and prints the ratios. */
async function compare(name: PresetName, torch: Torch | null): Promise<void> {
  const net = preset(name);
  const engine = await OnnxEngine.open(net, randomWeights, { precision: 'fp32', hop: HOP, threads });
  const pixels = Uint8Array.from(uniform('crops', 64 * CROP_BYTES), (u) => 128 + u * 127);
  const windows = uniform('window', 4 * 256 * embeddingSize(net));
  const embed = async (count: number) => {
    for (let done = 0; done < count; done += 64) {
      const n = Math.min(64, count - done);
      await engine.encode(pixels.subarray(0, n * CROP_BYTES), n);
    }
  };
  const oneWindow = windows.subarray(0, windows.length / 4);
  const workloads: Record<string, () => Promise<Cost>> = {
    hop: () =>
      measureCost(async () => {
        await embed(HOP);
        await engine.scoreNewest(oneWindow, 1);
      }),
    full: () =>
      measureCost(async () => {
        await embed(256);
        await engine.score(oneWindow, 1);
      }),
  };
  for (const n of [1, 16, 64]) {
    workloads[`frame ${n}`] = () => measureCost(() => engine.encode(pixels.subarray(0, n * CROP_BYTES), n));
    if (torch) workloads[`torch frame ${n}`] = () => torch.run(`frame ${n}`);
  }
  for (const n of [1, 4]) {
    workloads[`window ${n}`] = () =>
      measureCost(() => engine.score(windows.subarray(0, (windows.length / 4) * n), n));
    if (torch) workloads[`torch window ${n}`] = () => torch.run(`window ${n}`);
  }
  const costs: Record<string, Cost[]> = Object.fromEntries(Object.keys(workloads).map((key) => [key, []]));
  for (let round = -1; round < rounds; round++)
    for (const [key, run] of Object.entries(workloads)) {
      const cost = await run();
      if (round >= 0) costs[key]!.push(cost);
    }
  await engine.close();
  const ratio = (slow: string, fast: string, clock: keyof Cost) =>
    `${(median(costs[slow]!, clock) / median(costs[fast]!, clock)).toFixed(2)}×`;
  const row = (label: string, slow: string, fast: string) => {
    const figures = [slow, fast].map(
      (key) => `${median(costs[key]!, 'wall').toFixed(1)} (${median(costs[key]!, 'cpu').toFixed(1)})`,
    );
    return `| ${label} | ${figures.join(' | ')} | ${ratio(slow, fast, 'wall')} | ${ratio(slow, fast, 'cpu')} |`;
  };
  console.log(
    `\n### ${name}, fp32, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ms wall-clock (CPU)\n`,
  );
  console.log('| | full recompute | incremental | wall-clock ratio | CPU ratio |\n|---|---|---|---|---|');
  console.log(row(`one hop of ${HOP} crops`, 'full', 'hop'));
  if (!torch) return;
  console.log(
    `\n| | PyTorch ${torch.version} eager | ONNX Runtime | wall-clock ratio | CPU ratio |\n|---|---|---|---|---|`,
  );
  costs['torch hop'] = costs[`torch frame ${HOP}`]!.map((frame, i) => {
    const window = costs['torch window 1']![i]!;
    return { wall: frame.wall + window.wall, cpu: frame.cpu + window.cpu };
  });
  console.log(row(`one hop of ${HOP} crops, in PyTorch with the whole window`, 'torch hop', 'hop'));
  for (const n of [1, 16, 64]) console.log(row(`${n} crops embedded`, `torch frame ${n}`, `frame ${n}`));
  for (const n of [1, 4]) console.log(row(`${n} whole windows scored`, `torch window ${n}`, `window ${n}`));
}

/** PyTorch in a child process that executes one run per request. */
class Torch {
  readonly version: string;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcess, lines: AsyncIterator<string>, version: string) {
    this.#process = process;
    this.#lines = lines;
    this.version = version;
  }

  static async start(python: string, name: PresetName): Promise<Torch | null> {
    if (!existsSync(python)) return null;
    const args = ['-m', 'austream_training.speed', name, String(threads)];
    const child = spawn(python, args, { cwd: training, stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    return new Torch(child, lines, String(value).split(' ')[1] ?? '');
  }

  async run(command: string): Promise<Cost> {
    this.#process.stdin!.write(`${command}\n`);
    const [wall = NaN, cpu = NaN] = String((await this.#lines.next()).value)
      .split(' ')
      .map(Number);
    return { wall, cpu };
  }

  async stop(): Promise<void> {
    this.#process.stdin!.end();
    if (this.#process.exitCode === null) await once(this.#process, 'exit');
  }
}

if (section !== 'engines')
  for (const name of ['paper-compact', 'edge'] as const) {
    const torch = await Torch.start(flags.torch, name);
    await compare(name, torch);
    await torch?.stop();
  }
if (section !== 'compare')
  for (const name of ['edge', 'paper-compact', 'paper'] as const) {
    const results = [];
    // TensorFlow.js on the CPU would take minutes for the large presets.
    for (const config of availableEngineConfigs())
      if (name === 'edge' || config.device !== 'wasm')
        results.push(await benchmarkEngine(config, { preset: name, hop: HOP, threads, seconds: 1 }));
    console.log(`\n### ${name}: engines of this host, hop ${HOP}\n\n\`\`\`\n${benchTable(results)}\n\`\`\``);
  }
