import { Command } from 'commander';
import { HotChanges } from '../app/hot-changes.ts';
import { openIngestWorker } from '../app/ingest-worker.ts';
import { type Config, ConfigError, loadConfig } from '../config/schema.ts';
import { serveHealth } from '../http/health.ts';
import { log } from '../log.ts';
import { openTelemetry } from '../telemetry/index.ts';
import { parseDuration } from './duration.ts';
import { lifetime } from './lifetime.ts';
import { jsonLines, print } from './run.ts';

/** Crops that no broker has taken by then are lost: they are never kept on disk. */
const FLUSH_MS = 3_000;

/** `austream ingest`: cameras to the crops topic, for inference workers. */
export function ingestCommand(): Command {
  return new Command('ingest')
    .description('Watch cameras and publish the crops of their faces for austream infer')
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print camera states as JSON lines, and a summary as the last one')
    .action(async (options: { config: string; duration?: number; json?: boolean }) => {
      const config = loadConfig(options.config);
      log.level = config.log.level;
      checkCameras(options.config, config);
      const telemetry = await openTelemetry(config.http);
      const { status } = options.json ? jsonLines(print) : {};
      const worker = await openIngestWorker(config, status ? { status } : {});
      telemetry?.watch(worker.stats);
      const health = await serveHealth(config.http, worker.missing, ...(telemetry ? [telemetry.routes] : []));
      log.info(
        { cameras: config.cluster.cameras, group: config.cluster.group, http: health?.port },
        'running',
      );
      // A camera of the topic belongs to whichever worker has its share: only the topic changes it.
      const changes =
        config.cluster.cameras === 'config'
          ? await HotChanges.open(worker.cameras, config, options.config)
          : null;
      const ending = await lifetime(worker.done, options.duration);
      await changes?.close();
      await health?.close();
      const summary = await worker.stop(FLUSH_MS);
      await telemetry?.close();
      if (options.json) print({ type: 'summary', ...summary });
      else log.info(summary, 'summary');
      if (ending === 'interrupted') process.exitCode = 130;
    });
}

function checkCameras(file: string, { cluster, cameras }: Config): void {
  if (cluster.cameras === 'topic' && cameras.length > 0)
    throw new ConfigError(file, [
      {
        path: 'cameras',
        message: 'cluster.cameras is topic: add cameras with austream cameras add, none here',
      },
    ]);
  if (cluster.cameras === 'config' && cameras.length === 0)
    throw new ConfigError(file, [
      {
        path: 'cameras',
        message: 'there are none; or set cluster.cameras: topic to share those of the topic',
      },
    ]);
}
