import { Command, Option } from 'commander';
import { outputError } from '../app/output-file.ts';
import { availableEngineConfigs, type BenchResult, benchmarkEngine } from '../infer/engine/bench.ts';
import { engineCandidates } from '../infer/engine/candidates.ts';
import { type ModelSource, openModelSource } from '../infer/engine/model-source.ts';
import { buildGraphs } from '../infer/engine/onnx/build-graphs.ts';
import { terminalProgress } from '../infer/engine/progress.ts';
import { PRESETS, type PresetName } from '../infer/model/architecture.ts';
import { table } from '../terminal/table.ts';
import { integerOption } from './integer-option.ts';
import { describeModel, modelSummary } from './model-info.ts';
import { printJson, printLine } from './output.ts';

interface ModelFlags {
  preset?: PresetName;
  json?: boolean;
}

/** `austream model`: describes, verifies, builds and benchmarks models. */
export function modelCommand(): Command {
  return new Command('model')
    .description('Describe, verify, build and benchmark models')
    .addCommand(infoCommand())
    .addCommand(verifyCommand())
    .addCommand(buildCommand())
    .addCommand(benchCommand());
}

function infoCommand(): Command {
  return subcommand('info', 'Describe a model and its computing cost')
    .option('--tensors', 'list every tensor that the weights must contain')
    .action(async (folder: string | undefined, flags: ModelFlags & { tensors?: boolean }) => {
      const [choice] = engineCandidates({ engine: 'auto', device: 'auto', precision: 'auto' });
      const description = await withModelSource(folder, flags, (source) =>
        describeModel(source, choice!, flags.tensors ?? false),
      );
      if (flags.json) printJson(description);
      else printLine(modelSummary(description));
    });
}

function verifyCommand(): Command {
  return subcommand('verify', 'Check weights: sha256 as stated, every tensor present and finite').action(
    async (folder: string | undefined, flags: ModelFlags) => {
      const progress = terminalProgress();
      const { name, sha256 } = await withModelSource(folder, flags, (source) => {
        source.checkpoint?.readAll((done, of) => progress?.('checking', done, of));
        return { name: source.name, sha256: source.weights.sha256 };
      });
      if (flags.json) printJson({ model: name, ok: true, sha256 });
      else printLine(`${name} is valid: sha256 ${sha256}`);
    },
  );
}

function buildCommand(): Command {
  return subcommand('build', 'Write ONNX graphs, with their weights beside them')
    .option('--out <folder>', 'output folder (default: the cache that `run` uses)')
    .option('--hop <n>', 'frames between two runs of the window encoder', integerOption(1, 256), 16)
    .addOption(
      new Option('--precision <p>', 'precision of the graphs')
        .choices(['fp32', 'fp16', 'int8'])
        .default('fp32'),
    )
    .action(async (folder: string | undefined, flags: ModelFlags & BuildFlags) => {
      const { name, files } = await withModelSource(folder, flags, (source) => ({
        name: source.name,
        files: buildOrExplain(source, flags),
      }));
      if (flags.json) printJson({ model: name, files });
      else printLine(files.join('\n'));
    });
}

interface BuildFlags {
  out?: string;
  hop: number;
  precision: 'fp32' | 'fp16' | 'int8';
}

function buildOrExplain({ net, weights }: ModelSource, flags: BuildFlags): string[] {
  try {
    return buildGraphs(net, weights, { ...flags, progress: terminalProgress() });
  } catch (error) {
    if (flags.out === undefined || !(error instanceof Error && 'syscall' in error)) throw error;
    throw outputError('--out', flags.out, error);
  }
}

function benchCommand(): Command {
  return subcommand('bench', 'Benchmark every engine, device and precision of this machine')
    .option('--hop <n>', 'frames between two runs of the window encoder', integerOption(1, 256), 16)
    .option('--threads <n>', 'threads of one operator; 0: one per core', integerOption(0, 256), 0)
    .option('--seconds <n>', 'duration of each measurement', integerOption(1, 600), 2)
    .action(
      async (
        folder: string | undefined,
        flags: ModelFlags & { hop: number; threads: number; seconds: number },
      ) => {
        const { hop, threads, seconds } = flags;
        // Bad weights then give one error here instead of one per engine.
        const name = await withModelSource(folder, flags, (source) => source.name);
        const results: BenchResult[] = [];
        const configs = availableEngineConfigs();
        const progress = terminalProgress();
        for (const config of configs) {
          progress?.(`${config.engine} ${config.device} ${config.precision}`, results.length, configs.length);
          results.push(
            await benchmarkEngine(config, { folder, preset: flags.preset, hop, threads, seconds }),
          );
        }
        progress?.('measured', 1, 1);
        if (flags.json) printJson({ model: name, hop, results });
        else printLine(`${name}, hop ${hop}\n${benchTable(results)}\n${fastestConfig(results)}`);
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

/** The configuration with the fastest hop, as config text. */
export function fastestConfig(results: readonly BenchResult[]): string {
  const measured = results.flatMap((result) => ('failed' in result ? [] : [result]));
  if (measured.length === 0) return 'no engine runs here';
  const { engine, device, precision, batch } = measured.reduce((a, b) => (b.hopMs < a.hopMs ? b : a));
  return [
    '\nthe fastest here, as config:\n',
    'infer:',
    `  engine: ${engine}`,
    // The device of TensorFlow.js depends on which of its packages is installed.
    ...(engine === 'onnx' ? [`  device: ${device}`] : []),
    `  precision: ${precision}`,
    `  batch: {max: ${batch.max}, deadlineMs: ${batch.deadlineMs}}`,
  ].join('\n');
}

/** Opens the model that the arguments name, runs `read` on it and closes it. */
async function withModelSource<T>(
  folder: string | undefined,
  { preset }: ModelFlags,
  read: (source: ModelSource) => T,
): Promise<T> {
  const source = await openModelSource({ folder, preset });
  try {
    return read(source);
  } finally {
    source.close();
  }
}

function subcommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('[folder]', 'folder with model.json and weights (default: the bundled model)')
    .addOption(
      new Option('--preset <name>', 'use a preset with random weights instead').choices(Object.keys(PRESETS)),
    )
    .option('--json', 'print the result as JSON');
}
