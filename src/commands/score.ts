import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { CSV_COLUMNS, csvRow, type FileScores, scoreFile } from '../app/score.ts';
import { configSchema, loadConfig } from '../config/schema.ts';
import { AustreamError } from '../errors.ts';
import { openModel } from '../infer/engine/index.ts';
import { log } from '../log.ts';
import { ScoreTable } from './score-table.ts';

interface ScoreOptions {
  out: string;
  config?: string;
  model?: string;
}

/** `austream score`: the pipeline offline on clips and still images. */
export function scoreCommand(): Command {
  return new Command('score')
    .description('Score the faces of clips and still images, every frame, into a table')
    .argument('<file...>', 'video files and images')
    .requiredOption('-o, --out <file>', 'where the scores go: a name that ends in .csv or .ndjson')
    .option('-c, --config <file>', 'config file (YAML): its detect and infer sections apply')
    .option('--model <folder>', 'model folder instead of the config’s')
    .action(async (files: string[], options: ScoreOptions) => {
      const format = /\.(csv|ndjson)$/.exec(options.out)?.[1];
      if (!format)
        throw new AustreamError('ARGUMENT_INVALID', `--out ${options.out}: cannot tell the format`, {
          fix: 'end the name in .csv or .ndjson',
        });
      const absent = files.filter((file) => !existsSync(file));
      if (absent.length > 0)
        throw new AustreamError('ARGUMENT_INVALID', `no such file: ${absent.join(', ')}`);
      await scoreAll(files, format as 'csv' | 'ndjson', options);
    });
}

async function scoreAll(files: readonly string[], format: 'csv' | 'ndjson', options: ScoreOptions) {
  const config = options.config
    ? loadConfig(options.config)
    : configSchema.parse({ kafka: { embedded: true } });
  if (options.model) config.infer.model = options.model;
  log.level = options.config ? config.log.level : 'warn';
  const model = await openModel(config.infer);
  try {
    const table = new ScoreTable(options.out);
    if (format === 'csv') table.write([CSV_COLUMNS.join(',')]);
    for (const file of files) {
      const began = performance.now();
      const scores = await scoreFile(file, config, model, (frames) => progress(file, frames, began));
      table.write(rows(file, scores, format));
      report(file, scores, began);
    }
    table.close();
  } finally {
    await model.close();
  }
}

function* rows(source: string, { frames }: FileScores, format: 'csv' | 'ndjson'): Iterable<string> {
  for (const frame of frames)
    yield format === 'csv' ? csvRow(source, frame) : JSON.stringify({ source, ...frame });
}

function progress(file: string, frames: number, began: number): void {
  if (!process.stderr.isTTY || frames % 25 !== 0) return;
  const rate = (frames / (performance.now() - began)) * 1_000;
  process.stderr.write(`\r\x1b[K${file}: ${frames} frames, ${rate.toFixed(0)} a second`);
}

/** One line a file for a person; a file that could not be read to its end makes the exit code 1. */
function report(file: string, scores: FileScores, began: number): void {
  const seconds = (performance.now() - began) / 1_000;
  const tracks = new Set(scores.frames.map((frame) => `${frame.epoch}/${frame.trackId}`)).size;
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  if (scores.failure) process.exitCode = 1;
  process.stderr.write(
    `${file}: ${scores.analysed} frames, ${tracks} face track(s), ${scores.frames.length} rows, ` +
      `${seconds.toFixed(1)} s${scores.failure ? `; not read to its end: ${scores.failure.message}` : ''}\n`,
  );
}
