import { Command, Option } from 'commander';
import { availableEngineConfigs, type BenchResult, benchmarkEngine } from '../infer/engine/bench.ts';
import { engineCandidates } from '../infer/engine/candidates.ts';
import { openModelSource } from '../infer/engine/model-source.ts';
import { buildGraphs } from '../infer/engine/onnx/build-graphs.ts';
import { terminalProgress } from '../infer/engine/progress.ts';
import { PRESETS, type PresetName } from '../infer/model/architecture.ts';
import { table } from '../terminal/table.ts';
import { whole } from './integer-option.ts';
import { describeModel, modelSummary } from './model-info.ts';

interface ModelFlags {
  preset?: PresetName;
  json?: boolean;
}

/** `austream model`: what a model is, whether it is whole, its graphs, its speed. */
export function modelCommand(): Command {
  return new Command('model')
    .description('Look at, check, build and measure models')
    .addCommand(infoCommand())
    .addCommand(verifyCommand())
    .addCommand(buildCommand())
    .addCommand(benchCommand());
}

function infoCommand(): Command {
  return subcommand('info', 'Say what a model is, and what it costs')
    .option('--tensors', 'list every tensor that the weights must have')
    .action(async (folder: string | undefined, flags: ModelFlags & { tensors?: boolean }) => {
      const source = await openModelSource({ folder, preset: flags.preset });
      const [choice] = engineCandidates({ engine: 'auto', device: 'auto', precision: 'auto' });
      const description = describeModel(source, choice!, flags.tensors ?? false);
      print(flags.json ? JSON.stringify(description) : modelSummary(description));
      source.close();
    });
}

function verifyCommand(): Command {
  return subcommand('verify', 'Check weights: whole, as stated, every tensor there and finite').action(
    async (folder: string | undefined, flags: ModelFlags) => {
      const source = await openModelSource({ folder, preset: flags.preset });
      const progress = terminalProgress();
      source.checkpoint?.readAll((done, of) => progress?.('checking', done, of));
      const { sha256 } = source.weights;
      print(
        flags.json
          ? JSON.stringify({ model: source.name, ok: true, sha256 })
          : `${source.name} is whole: sha256 ${sha256}`,
      );
      source.close();
    },
  );
}

function buildCommand(): Command {
  return subcommand('build', 'Write ONNX graphs, with their weights beside them')
    .option('--out <folder>', 'where to (default: the cache, from which `run` takes them)')
    .option('--hop <n>', 'crops between two runs of the window encoder', whole(1, 256), 16)
    .addOption(
      new Option('--precision <p>', 'of the graphs').choices(['fp32', 'fp16', 'int8']).default('fp32'),
    )
    .action(async (folder: string | undefined, flags: ModelFlags & BuildFlags) => {
      const source = await openModelSource({ folder, preset: flags.preset });
      const files = buildGraphs(source.net, source.weights, { ...flags, progress: terminalProgress() });
      print(flags.json ? JSON.stringify({ model: source.name, files }) : files.join('\n'));
      source.close();
    });
}

interface BuildFlags {
  out?: string;
  hop: number;
  precision: 'fp32' | 'fp16' | 'int8';
}

function benchCommand(): Command {
  return subcommand('bench', 'Measure every engine, device and precision of this host')
    .option('--hop <n>', 'crops between two runs of the window encoder', whole(1, 256), 16)
    .option('--threads <n>', 'threads of one operator; 0 takes one per core', whole(0, 256), 0)
    .option('--seconds <n>', 'how long to measure each figure', whole(1, 600), 2)
    .action(
      async (
        folder: string | undefined,
        flags: ModelFlags & { hop: number; threads: number; seconds: number },
      ) => {
        const { hop, threads, seconds } = flags;
        // Opened here first, so that bad weights are one clear error and not one per engine.
        const source = await openModelSource({ folder, preset: flags.preset });
        source.close();
        const results: BenchResult[] = [];
        const ways = availableEngineConfigs();
        const progress = terminalProgress();
        for (const way of ways) {
          progress?.(`${way.engine} ${way.device} ${way.precision}`, results.length, ways.length);
          results.push(await benchmarkEngine(way, { folder, preset: flags.preset, hop, threads, seconds }));
        }
        progress?.('measured', 1, 1);
        print(
          flags.json
            ? JSON.stringify({ model: source.name, hop, results })
            : `${source.name}, hop ${hop}\n${benchTable(results)}\n${proposal(results)}`,
        );
      },
    );
}

export function benchTable(results: readonly BenchResult[]): string {
  return table(
    [
      ...['engine', 'device', 'precision', 'batch', 'deadline', 'frames/s', 'ms/hop', 'CPU ms/hop'],
      ...['full ms', 'speed-up', 'peak MB'],
    ],
    results.map(({ engine, device, precision, ...result }) => {
      if ('failed' in result) return [engine, device, precision, `failed: ${result.failed}`];
      const { batch, framesPerSecond, hopMs, hopCpuMs, fullMs, peakMemoryMb } = result;
      const speedUp = `${(fullMs / hopMs).toFixed(1)}×`;
      return [
        engine,
        device,
        precision,
        String(batch.max),
        `${batch.deadlineMs} ms`,
        framesPerSecond.toFixed(0),
        hopMs.toFixed(1),
        hopCpuMs.toFixed(1),
        fullMs.toFixed(0),
        speedUp,
        peakMemoryMb.toFixed(0),
      ];
    }),
  );
}

/** The fastest way for a face's hop, as the config says it. */
export function proposal(results: readonly BenchResult[]): string {
  const measured = results.flatMap((result) => ('failed' in result ? [] : [result]));
  if (measured.length === 0) return 'nothing runs here';
  const { engine, device, precision, batch } = measured.reduce((a, b) => (b.hopMs < a.hopMs ? b : a));
  return [
    '\nthe fastest here, for the config:\n',
    'infer:',
    `  engine: ${engine}`,
    // The devices of TensorFlow.js come with its packages.
    ...(engine === 'onnx' ? [`  device: ${device}`] : []),
    `  precision: ${precision}`,
    `  batch: {max: ${batch.max}, deadlineMs: ${batch.deadlineMs}}`,
  ].join('\n');
}

function subcommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('[folder]', 'folder of model.json and weights (default: the model that ships)')
    .addOption(
      new Option('--preset <name>', 'a preset with random weights instead').choices(Object.keys(PRESETS)),
    )
    .option('--json', 'print JSON');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
