import { Command } from 'commander';
import { type Config, loadConfig } from '../config.ts';
import { serveHealth } from '../health.ts';
import { log } from '../log.ts';
import { type Onlooker, openPipeline } from '../pipeline.ts';
import type { Summary } from '../summary.ts';
import { parseDuration } from './duration.ts';
import { type Ending, lifetime } from './lifetime.ts';

/** Ctrl-C ends within 5 s, also when the broker is away: what is not acknowledged by then is in the spool. */
const FLUSH_MS = 3_000;

/** `austream run`: cameras to topics on this machine. */
export function runCommand(): Command {
  return new Command('run')
    .description('Watch the cameras of a config and publish their events')
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print events and camera states as JSON lines, and a summary as the last one')
    .action(async (options: { config: string; duration?: number; json?: boolean }) => {
      const config = loadConfig(options.config);
      log.level = config.log.level;
      const { ending, summary } = await run(config, options.duration, options.json ? jsonLines(print) : {});
      if (options.json) print({ type: 'summary', ...summary });
      else log.info(summary, 'summary');
      if (ending === 'interrupted') process.exitCode = 130;
    });
}

/** A consumer that comes and goes with the run. */
export interface Audience {
  /** Learns where consumers connect. */
  started(brokers: string): void;
  /** Every event is on its topic; the embedded broker goes when this resolves. */
  delivered(): Promise<void>;
}

/** Runs a config until it is over, for `run` and `demo`. */
export async function run(
  config: Config,
  durationMs: number | undefined,
  onlooker: Onlooker,
  audience?: Audience,
): Promise<{ ending: Ending; summary: Summary }> {
  const pipeline = await openPipeline(config, {
    ...onlooker,
    status: (status) => {
      if (status.state !== status.previous) {
        const { cameraId, state, previous, cause, detail } = status;
        log[state === 'LIVE' || state === 'CONNECTING' ? 'info' : 'warn'](
          { cameraId, previous, cause },
          `camera ${cameraId} is ${state}: ${detail}`,
        );
      }
      onlooker.status?.(status);
    },
  });
  let ending: Ending;
  try {
    const health = await serveHealth(config.http, pipeline.missing);
    log.info({ cameras: config.cameras.length, brokers: pipeline.brokers, http: health?.port }, 'running');
    audience?.started(pipeline.brokers);
    ending = await lifetime(pipeline.done, durationMs);
    await health?.close();
  } catch (error) {
    await pipeline.stop(0).catch(() => {});
    throw error;
  }
  return { ending, summary: await pipeline.stop(FLUSH_MS, audience?.delivered) };
}

/** Events and camera states as JSON lines. */
export function jsonLines(write: (line: object) => void): Onlooker {
  return {
    frames: (frames) => {
      for (const frame of frames) write({ type: 'frame', ...frame });
    },
    activations: (activations) => {
      for (const activation of activations) write({ type: 'activation', ...activation });
    },
    status: (status) => write({ type: 'camera', ...status }),
  };
}

export function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
