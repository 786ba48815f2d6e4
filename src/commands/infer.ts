import { Command } from 'commander';
import { openInferWorker } from '../app/infer-worker.ts';
import { loadConfig } from '../config/schema.ts';
import { serveHealth } from '../http/health.ts';
import { log } from '../log.ts';
import { openTelemetry } from '../telemetry/index.ts';
import { parseDuration } from './duration.ts';
import { lifetime } from './lifetime.ts';
import { jsonLines, print } from './run.ts';

/** `austream infer`: scores the crops that ingest workers publish, for as long as it runs. */
export function inferCommand(): Command {
  return new Command('infer')
    .description('Score crops from Kafka: one process per GPU, as many as the topic has partitions')
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option(
      '--json',
      'print events as JSON lines once they are on their topics, and a summary as the last one',
    )
    .action(async (options: { config: string; duration?: number; json?: boolean }) => {
      const config = loadConfig(options.config);
      log.level = config.log.level;
      const telemetry = await openTelemetry(config.http);
      const worker = await openInferWorker(config, options.json ? jsonLines(print) : {});
      telemetry?.watch(worker.stats);
      const health = await serveHealth(config.http, worker, ...(telemetry ? [telemetry.routes] : []));
      log.info({ group: config.cluster.group, http: health?.port }, 'running');
      const ending = await lifetime(worker.done, options.duration);
      await health?.close();
      const summary = await worker.stop();
      await telemetry?.close();
      if (options.json) print({ type: 'summary', ...summary });
      else log.info(summary, 'summary');
      if (ending === 'interrupted') process.exitCode = 130;
    });
}
