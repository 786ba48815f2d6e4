import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { Command } from 'commander';
import { configSchema, loadConfig } from '../config.ts';
import { AustreamError } from '../errors.ts';
import { openModel } from '../infer/engine/index.ts';
import { log } from '../log.ts';
import { CSV_COLUMNS, csvRow, scoreFile } from '../score.ts';

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
  const out = createWriteStream(options.out);
  try {
    await once(out, 'open');
    if (format === 'csv') out.write(`${CSV_COLUMNS.join(',')}\n`);
    for (const file of files) {
      const began = performance.now();
      const scores = await scoreFile(file, config, model, (frames) => progress(file, frames, began));
      for (const frame of scores.frames)
        out.write(`${format === 'csv' ? csvRow(file, frame) : JSON.stringify({ source: file, ...frame })}\n`);
      report(file, scores, began);
    }
  } finally {
    out.end();
    await model.close();
  }
  await finished(out);
}

function progress(file: string, frames: number, began: number): void {
  if (!process.stderr.isTTY || frames % 25 !== 0) return;
  const rate = (frames / (performance.now() - began)) * 1_000;
  process.stderr.write(`\r\x1b[K${file}: ${frames} frames, ${rate.toFixed(0)} a second`);
}

/** One line a file for a person; a file that could not be read to its end makes the exit code 1. */
function report(file: string, scores: Awaited<ReturnType<typeof scoreFile>>, began: number): void {
  const seconds = (performance.now() - began) / 1_000;
  const tracks = new Set(scores.frames.map((frame) => `${frame.epoch}/${frame.trackId}`)).size;
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const read = scores.last.cause === 'CAMERA_ENDED';
  if (!read) process.exitCode = 1;
  process.stderr.write(
    `${file}: ${scores.analysed} frames, ${tracks} face track(s), ${scores.frames.length} rows, ` +
      `${seconds.toFixed(1)} s${read ? '' : `; not read to its end: ${scores.last.detail}`}\n`,
  );
}
