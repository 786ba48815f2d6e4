import { Command } from 'commander';
import { HotChanges } from '../app/hot-changes.ts';
import { openPipeline, type PipelineObserver, type ShutdownTimeouts } from '../app/pipeline.ts';
import { type Summary, summaryText } from '../app/summary.ts';
import { type Config, loadConfig } from '../config/schema.ts';
import { type Dashboard, openDashboard } from '../dashboard/index.ts';
import { serveHealth } from '../http/health.ts';
import { log, showLog } from '../log.ts';
import { openTelemetry } from '../telemetry/index.ts';
import { CameraLines } from '../terminal/camera-lines.ts';
import { parseDuration } from './duration.ts';
import { type Ending, lifetime } from './lifetime.ts';

const SHUTDOWN: ShutdownTimeouts = {
  /** Far above what any model takes for one batch: only one that hangs is given up. */
  modelMs: 30_000,
  /** Ctrl-C ends within 5 s, also when the broker is away: what is not acknowledged by then is in the spool. */
  kafkaMs: 3_000,
};

interface RunFlags extends DashboardFlags {
  config: string;
  duration?: number;
  json?: boolean;
}

export interface DashboardFlags {
  dashboard?: boolean;
  showVideo?: boolean;
}

/** `austream run`: cameras to topics on this machine. */
export function runCommand(): Command {
  return new Command('run')
    .description('Watch the cameras of a config and publish their events')
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--duration <time>', 'stop after this long, e.g. 30s', parseDuration)
    .option('--json', 'print events and camera states as JSON lines, and a summary as the last one')
    .option('--dashboard', 'serve the live page on http.port (8080 where the config has none)')
    .option('--show-video', 'show pictures of faces on the live page; they are never stored')
    .action(async (options: RunFlags) => {
      const config = loadConfig(options.config);
      log.level = config.log.level;
      const lines = !options.json && process.stdout.isTTY ? new CameraLines(process.stdout) : null;
      if (lines) showLog((message) => lines.note(message));
      const { ending, summary } = await run(config, {
        durationMs: options.duration,
        observer: options.json ? jsonLines(print) : (lines ?? {}),
        dashboard: dashboardOf(config, options),
        file: options.config,
      });
      lines?.close();
      if (options.json) print({ type: 'summary', ...summary });
      else if (lines) process.stdout.write(`\n${summaryText(summary)}`);
      else log.info(summary, 'summary');
      if (ending === 'interrupted') process.exitCode = 130;
    });
}

/** The live page that the flags ask for. */
export function dashboardOf(config: Config, flags: DashboardFlags): Dashboard | undefined {
  const { dashboard = false, showVideo = false } = flags;
  return dashboard || showVideo ? openDashboard(config.http, { showVideo }) : undefined;
}

/** A consumer that comes and goes with the run. */
export interface RunHooks {
  /** Learns where consumers connect, and where the live page is. */
  started(brokers: string, page: string | null): void;
  /** Every event is on its topic; the embedded broker goes when this resolves. */
  delivered(): Promise<void>;
}

export interface RunOptions {
  readonly durationMs?: number | undefined;
  readonly observer?: PipelineObserver;
  readonly audience?: RunHooks;
  readonly dashboard?: Dashboard | undefined;
  /** Where the config came from: cameras follow its changes, and the control socket. */
  readonly file?: string;
}

/** Runs a config until it is over, for `run` and `demo`. */
export async function run(
  config: Config,
  { durationMs, observer = {}, audience, dashboard, file }: RunOptions,
): Promise<{ ending: Ending; summary: Summary }> {
  const told = new Map<string, string>();
  const states: PipelineObserver = {
    status: (status) => {
      const { cameraId, state, previous, cause, detail, analysisFps } = status;
      // Statuses repeat while nothing changes; the log has each change once.
      const news = `${state} ${cause} ${analysisFps}`;
      if (told.get(cameraId) !== news) {
        told.set(cameraId, news);
        log[state === 'LIVE' || state === 'CONNECTING' ? 'info' : 'warn'](
          { cameraId, previous, cause, ...(analysisFps === null ? {} : { analysisFps }) },
          `camera ${cameraId} is ${state}: ${detail}`,
        );
      }
    },
  };
  const http = dashboard?.http ?? config.http;
  const telemetry = await openTelemetry(http);
  const pipeline = await openPipeline(config, combineObservers(states, observer, dashboard?.observer ?? {}));
  let changes: HotChanges | undefined;
  let ending: Ending;
  try {
    telemetry?.watch(pipeline.stats);
    const routes = [telemetry?.routes, dashboard?.routes(pipeline)].filter((some) => some !== undefined);
    const health = await serveHealth(http, pipeline.missing, ...routes);
    const page = dashboard && health ? `http://${urlHost(http.host)}:${health.port}/` : null;
    const served = { http: health?.port, ...(page ? { page } : {}) };
    const where = `running: events to ${pipeline.brokers}${page ? `, live page ${page}` : ''}`;
    log.info({ cameras: config.cameras.length, brokers: pipeline.brokers, ...served }, where);
    if (file !== undefined) changes = await HotChanges.open(pipeline.cameras, config, file);
    audience?.started(pipeline.brokers, page);
    ending = await lifetime(pipeline.done, durationMs);
    await health?.close();
  } catch (error) {
    await pipeline.stop(SHUTDOWN).catch(() => {});
    throw error;
  } finally {
    await changes?.close();
  }
  try {
    return { ending, summary: await pipeline.stop(SHUTDOWN, audience?.delivered) };
  } finally {
    await telemetry?.close();
  }
}

function combineObservers(...observers: readonly PipelineObserver[]): PipelineObserver {
  return {
    frames: (frames) => observers.forEach((observer) => void observer.frames?.(frames)),
    activations: (activations) => observers.forEach((observer) => void observer.activations?.(activations)),
    status: (status) => observers.forEach((observer) => void observer.status?.(status)),
    faces: (faces) => observers.forEach((observer) => void observer.faces?.(faces)),
  };
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Events and camera states as JSON lines. */
export function jsonLines(write: (line: object) => void): PipelineObserver {
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
