import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { ResourceStack } from '../app/resource-stack.ts';
import { CSV_COLUMNS, csvRow, type FileScores, scoreFile } from '../app/score.ts';
import { configSchema, loadConfig } from '../config/schema.ts';
import { AustreamError } from '../errors.ts';
import { openModel } from '../infer/engine/index.ts';
import { log } from '../log.ts';
import { EXIT } from './exit-code.ts';
import { ScoreTable } from './score-table.ts';

type Format = 'csv' | 'ndjson';

interface ScoreFlags {
  out: string;
  config?: string;
  model?: string;
}

/** `austream score`: scores clips and still images offline. */
export function scoreCommand(): Command {
  return new Command('score')
    .description('Score the faces of clips and still images, every frame, into a table')
    .argument('<file...>', 'video files and images')
    .requiredOption('-o, --out <file>', 'output file; its name ends in .csv or .ndjson')
    .option('-c, --config <file>', 'config file (YAML): its detect and infer sections apply')
    .option('--model <folder>', 'model folder instead of the config’s')
    .action(async (files: string[], flags: ScoreFlags) => {
      const format = /\.(csv|ndjson)$/.exec(flags.out)?.[1] as Format | undefined;
      if (!format)
        throw new AustreamError('ARGUMENT_INVALID', `--out ${flags.out}: unknown format`, {
          fix: 'end the name in .csv or .ndjson',
        });
      const missing = files.filter((file) => !existsSync(file));
      if (missing.length > 0)
        throw new AustreamError('ARGUMENT_INVALID', `no such file: ${missing.join(', ')}`, {
          fix: 'check the paths',
        });
      await scoreAll(files, format, flags);
    });
}

async function scoreAll(files: readonly string[], format: Format, flags: ScoreFlags): Promise<void> {
  const config = flags.config ? loadConfig(flags.config) : configSchema.parse({ kafka: { embedded: true } });
  if (flags.model) config.infer.model = flags.model;
  log.level = flags.config ? config.log.level : 'warn';
  const resources = new ResourceStack();
  await resources.closeAfter(async () => {
    const model = await openModel(config.infer);
    resources.add('model', () => model.close());
    const table = new ScoreTable(flags.out);
    resources.add('table', () => table.close());
    if (format === 'csv') table.write([CSV_COLUMNS.join(',')]);
    for (const file of files) {
      const startedAt = performance.now();
      const scores = await scoreFile(file, config, model, (frames) => printProgress(file, frames, startedAt));
      table.write(rows(file, scores, format));
      printResult(file, scores, startedAt);
    }
  });
}

function* rows(source: string, { frames }: FileScores, format: Format): Iterable<string> {
  for (const frame of frames)
    yield format === 'csv' ? csvRow(source, frame) : JSON.stringify({ source, ...frame });
}

function printProgress(file: string, frames: number, startedAt: number): void {
  if (!process.stderr.isTTY || frames % 25 !== 0) return;
  const rate = (frames / (performance.now() - startedAt)) * 1_000;
  process.stderr.write(`\r\x1b[K${file}: ${frames} frames, ${rate.toFixed(0)} a second`);
}

/** Prints one line for the file. A file that could not be read to its end sets exit code 1. */
function printResult(file: string, scores: FileScores, startedAt: number): void {
  const seconds = (performance.now() - startedAt) / 1_000;
  const tracks = new Set(scores.frames.map((frame) => `${frame.epoch}/${frame.trackId}`)).size;
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  if (scores.failure) process.exitCode = EXIT.failed;
  process.stderr.write(
    `${file}: ${scores.analysed} frames, ${tracks} face track(s), ${scores.frames.length} rows, ` +
      `${seconds.toFixed(1)} s${scores.failure ? `; not read to its end: ${scores.failure.message}` : ''}\n`,
  );
}
