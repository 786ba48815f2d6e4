/**
 * The model's speed, as ratios within one run: what embedding each crop once saves, ONNX Runtime against PyTorch eager
 * with the same weights and threads, and every engine of this host.
 *
 *   node bench/model.ts [--torch PYTHON] [--rounds N]
 *
 * PYTHON: an interpreter with training/requirements.txt (default: training/.venv/bin/python); without one the
 * comparison with PyTorch is left out.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchTable } from '../src/commands/model.ts';
import { CROP_BYTES } from '../src/domain.ts';
import { benchWay, waysOf } from '../src/infer/engine/bench.ts';
import { OnnxEngine } from '../src/infer/engine/onnx/engine.ts';
import { embeddingSize, type PresetName, preset } from '../src/infer/model/architecture.ts';
import { randomWeights, uniform } from '../src/infer/weights/random.ts';

const training = fileURLToPath(new URL('../training', import.meta.url));
const { values: flags } = parseArgs({
  options: {
    torch: { type: 'string', default: `${training}/.venv/bin/python` },
    rounds: { type: 'string', default: '7' },
  },
});
const threads = availableParallelism();
const rounds = Number(flags.rounds);
const HOP = 16;

const median = (times: number[]) => times.toSorted((a, b) => a - b)[times.length >> 1]!;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Incremental and full, and PyTorch's frame and window encoder, in turns. */
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
  const work: Record<string, () => Promise<number>> = {
    hop: () =>
      timed(async () => {
        await embed(HOP);
        await engine.scoreNewest(oneWindow, 1);
      }),
    full: () =>
      timed(async () => {
        await embed(256);
        await engine.score(oneWindow, 1);
      }),
  };
  for (const n of [1, 16, 64]) {
    work[`frame ${n}`] = () => timed(() => engine.encode(pixels.subarray(0, n * CROP_BYTES), n));
    if (torch) work[`torch frame ${n}`] = () => torch.run(`frame ${n}`);
  }
  for (const n of [1, 4]) {
    work[`window ${n}`] = () => timed(() => engine.score(windows.subarray(0, (windows.length / 4) * n), n));
    if (torch) work[`torch window ${n}`] = () => torch.run(`window ${n}`);
  }
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(work).map((key) => [key, []]));
  for (let round = -1; round < rounds; round++)
    for (const [key, run] of Object.entries(work)) {
      const ms = await run();
      if (round >= 0) times[key]!.push(ms);
    }
  await engine.close();
  const ms = (key: string) => median(times[key]!);
  console.log(`\n### ${name}: one hop of ${HOP} crops\n`);
  console.log('| | ms | ratio |\n|---|---|---|');
  console.log(`| full recompute (256 crops, whole window) | ${ms('full').toFixed(1)} | 1 |`);
  console.log(
    `| incremental (${HOP} crops, newest scores) | ${ms('hop').toFixed(1)} | **${(ms('full') / ms('hop')).toFixed(1)}×** |`,
  );
  if (!torch) return;
  console.log(
    `\n### ${name}: ONNX Runtime against PyTorch ${torch.version} eager, fp32, ${threads} threads\n`,
  );
  console.log('| work | PyTorch ms | ONNX Runtime ms | ratio |\n|---|---|---|---|');
  for (const key of ['frame 1', 'frame 16', 'frame 64', 'window 1', 'window 4']) {
    const [theirs, ours] = [ms(`torch ${key}`), ms(key)];
    console.log(
      `| ${key} | ${theirs.toFixed(1)} | ${ours.toFixed(1)} | **${(theirs / ours).toFixed(2)}×** |`,
    );
  }
}

/** PyTorch in a process of its own, asked for one run at a time. */
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

  async run(what: string): Promise<number> {
    this.#process.stdin!.write(`${what}\n`);
    return Number((await this.#lines.next()).value);
  }

  async stop(): Promise<void> {
    this.#process.stdin!.end();
    if (this.#process.exitCode === null) await once(this.#process, 'exit');
  }
}

for (const name of ['paper-compact', 'edge'] as const) {
  const torch = await Torch.start(flags.torch, name);
  await compare(name, torch);
  await torch?.stop();
}
for (const name of ['edge', 'paper-compact', 'paper'] as const) {
  const results = [];
  for (const way of waysOf())
    if (name !== 'paper' || way.engine === 'onnx')
      results.push(await benchWay(way, { preset: name, hop: HOP, threads, seconds: 2 }));
  console.log(`\n### ${name}: engines of this host, hop ${HOP}\n\n\`\`\`\n${benchTable(results)}\n\`\`\``);
}
