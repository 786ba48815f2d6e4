import { Command } from 'commander';
import { HotReload } from '../app/hot-reload.ts';
import { openIngestWorker } from '../app/ingest-worker.ts';
import { runProcess } from '../app/lifecycle.ts';
import { failureOf } from '../app/outcome.ts';
import { type Config, ConfigError, loadConfig } from '../config/schema.ts';
import { logConfigWarnings } from '../config/warnings.ts';
import { log } from '../log.ts';
import { parseDuration } from './duration.ts';
import { setExitCode } from './exit-code.ts';
import { JsonLines } from './json-lines.ts';
import { type StrictFlag, strictOption } from './strict.ts';

/** Crops that no broker has acknowledged by then are dropped: crops are never spooled to disk. */
const FLUSH_MS = 3_000;

/** `austream ingest`: cameras to the crops topic, for inference workers. */
export function ingestCommand(): Command {
  return new Command('ingest')
    .description('Watch cameras and publish the crops of their faces for austream infer')
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print camera states as JSON lines, and a summary as the last line')
    .addOption(strictOption())
    .action(async (flags: { config: string; duration?: number; json?: boolean } & StrictFlag) => {
      const config = loadConfig(flags.config);
      log.level = config.log.level;
      checkCameras(flags.config, config);
      logConfigWarnings(config, flags.config);
      const { cluster } = config;
      const lines = flags.json ? new JsonLines() : null;
      const { endReason, summary } = await runProcess({
        http: config.http,
        delivery: { readySeconds: config.kafka.readySeconds },
        durationMs: flags.duration,
        open: () => openIngestWorker(config, lines ? { status: lines.status } : {}),
        async ready(worker, port, resources) {
          // Cameras of the topic are shared among workers: only the topic changes them.
          if (cluster.cameras === 'config') {
            const hotReload = await HotReload.open(worker.cameras, config, flags.config);
            resources.add('hot reload', () => hotReload.close());
          }
          log.info({ cameras: cluster.cameras, group: cluster.group, http: port ?? undefined }, 'running');
        },
        stop: (worker) => worker.stop(FLUSH_MS),
      });
      if (lines) lines.summary(summary);
      else log.info(summary, 'summary');
      setExitCode(endReason, failureOf(summary, flags));
    });
}

function checkCameras(file: string, { cluster, cameras }: Config): void {
  if (cluster.cameras === 'topic' && cameras.length > 0)
    throw new ConfigError(file, [
      {
        path: 'cameras',
        message: 'must be empty with cluster.cameras: topic; use austream cameras add',
      },
    ]);
  if (cluster.cameras === 'config' && cameras.length === 0)
    throw new ConfigError(file, [
      {
        path: 'cameras',
        message: 'is empty; add cameras, or set cluster.cameras: topic to share the cameras of the topic',
      },
    ]);
}
