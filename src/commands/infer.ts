import { Command } from 'commander';
import { openInferWorker } from '../app/infer-worker.ts';
import { runProcess } from '../app/lifecycle.ts';
import { failureOf } from '../app/outcome.ts';
import { loadConfig } from '../config/schema.ts';
import { logConfigWarnings } from '../config/warnings.ts';
import { log } from '../log.ts';
import { parseDuration } from './duration.ts';
import { setExitCode } from './exit-code.ts';
import { JsonLines } from './json-lines.ts';
import { type StrictFlag, strictOption } from './strict.ts';

/** `austream infer`: scores the crops that ingest workers publish. */
export function inferCommand(): Command {
  return new Command('infer')
    .description('Score crops from Kafka: one process per GPU, at most one per partition of the topic')
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print committed events as JSON lines, and a summary as the last line')
    .addOption(strictOption())
    .action(async (flags: { config: string; duration?: number; json?: boolean } & StrictFlag) => {
      const config = loadConfig(flags.config);
      log.level = config.log.level;
      logConfigWarnings(config, flags.config);
      const lines = flags.json ? new JsonLines() : null;
      const {
        endReason,
        summary: totals,
        lost,
      } = await runProcess({
        http: config.http,
        delivery: { readySeconds: config.kafka.readySeconds },
        durationMs: flags.duration,
        open: () => openInferWorker(config, lines ?? {}),
        ready: (_worker, port) =>
          log.info({ group: config.cluster.group, http: port ?? undefined }, 'running'),
        stop: (worker) => worker.stop(),
      });
      const summary = { ...totals, drops: lost };
      if (lines) lines.summary(summary);
      else log.info(summary, 'summary');
      // What was read and not committed is read again by the next worker.
      const outcome = { drops: lost, fileDrops: {}, undelivered: [], unreadFiles: [] };
      setExitCode(endReason, failureOf(outcome, flags));
    });
}
