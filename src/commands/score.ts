import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { failureOf } from '../app/outcome.ts';
import { type FileScores, scoreFiles } from '../app/score.ts';
import type { ScoreFormat } from '../app/score-rows.ts';
import { monotonicMs } from '../clock.ts';
import { configSchema, loadConfig } from '../config/schema.ts';
import { AustreamError } from '../errors.ts';
import { log } from '../log.ts';
import { printable } from '../printable.ts';
import { EXIT } from './exit-code.ts';
import { printNote } from './output.ts';
import { type StrictFlag, strictOption } from './strict.ts';

interface ScoreFlags extends StrictFlag {
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
    .addOption(strictOption())
    .action(async (files: string[], { out, config: configFile, model, strict }: ScoreFlags) => {
      const format = /\.(csv|ndjson)$/.exec(out)?.[1] as ScoreFormat | undefined;
      if (!format)
        throw new AustreamError('ARGUMENT_INVALID', `--out ${out}: unknown format`, {
          fix: 'end the name in .csv or .ndjson',
        });
      const missing = files.filter((file) => !existsSync(file));
      if (missing.length > 0)
        throw new AustreamError('ARGUMENT_INVALID', `no such file: ${missing.join(', ')}`, {
          fix: 'check the paths',
        });
      const config = configFile ? loadConfig(configFile) : configSchema.parse({ kafka: { embedded: true } });
      if (model) config.infer.model = model;
      log.level = configFile ? config.log.level : 'warn';
      const drops: Record<string, number> = {};
      let startedAt = monotonicMs();
      await scoreFiles(
        files,
        config,
        { path: out, format },
        {
          started: () => {
            startedAt = monotonicMs();
          },
          progress: (file, analysed) => printProgress(file, analysed, startedAt),
          scored: (file, scores) => {
            printResult(file, scores, startedAt);
            for (const [cause, count] of Object.entries(scores.drops))
              drops[cause] = (drops[cause] ?? 0) + count;
          },
        },
      );
      const failure = failureOf(
        { drops, fileDrops: drops, undelivered: [], unreadFiles: [] },
        { strict: strict ?? false },
      );
      if (failure) throw failure;
    });
}

function printProgress(file: string, analysed: number, startedAt: number): void {
  if (!process.stderr.isTTY || analysed % 25 !== 0) return;
  const rate = (analysed / (monotonicMs() - startedAt)) * 1_000;
  process.stderr.write(`\r\x1b[K${printable(file)}: ${analysed} frames, ${rate.toFixed(0)} a second`);
}

/** Prints one line for the file. A file that could not be read to its end sets exit code 1. */
function printResult(
  file: string,
  { frames, analysed, drops, failure }: FileScores,
  startedAt: number,
): void {
  const seconds = (monotonicMs() - startedAt) / 1_000;
  const tracks = new Set(frames.map(({ epoch, trackId }) => `${epoch}/${trackId}`)).size;
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  if (failure) process.exitCode = EXIT.failed;
  const leftOut = Object.entries(drops)
    .map(([cause, count]) => `; ${count} left out: ${cause}`)
    .join('');
  printNote(
    `${printable(file)}: ${analysed} frames, ${tracks} face track(s), ${frames.length} rows, ` +
      `${seconds.toFixed(1)} s${leftOut}${failure ? `; not read to its end: ${failure.message}` : ''}`,
  );
}
