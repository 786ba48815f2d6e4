import type { Config } from '../config/schema.ts';
import { log } from '../log.ts';
import { HotReload } from './hot-reload.ts';
import { type ProcessResult, runProcess } from './lifecycle.ts';
import type { Dashboard, LivePage } from './live-page.ts';
import { openPipeline, type Pipeline, type PipelineObserver, type ShutdownTimeouts } from './pipeline.ts';
import type { Summary } from './summary.ts';

const SHUTDOWN: ShutdownTimeouts = {
  /** Far above what any model needs for one batch, so that only a hung one is given up. */
  modelMs: 30_000,
  /** Ctrl-C ends within 5 s even while the brokers are away; unacknowledged events are in the spool by then. */
  kafkaMs: 3_000,
};

/** Hooks for a consumer that starts and ends with the run. */
export interface RunHooks {
  /** Events can be consumed. */
  started(brokers: string): void;
  /** Every event is on its topic; the embedded broker closes when this resolves. */
  delivered(): Promise<void>;
}

export interface RunOptions {
  readonly durationMs?: number | undefined;
  readonly observer?: PipelineObserver;
  readonly hooks?: RunHooks;
  readonly dashboard?: Dashboard | undefined;
  /** Shows the link that opens the live page on a terminal, and nowhere else: the link is a secret until it is used. */
  readonly showLink?: ((link: string) => void) | undefined;
  /** The config's file. With it, cameras follow changes of the file and requests on the control socket. */
  readonly file?: string;
}

/** Runs the pipeline of `run` and `demo` until it ends. */
export function run(
  config: Config,
  { durationMs, observer = {}, hooks, dashboard, showLink, file }: RunOptions,
): Promise<ProcessResult<Summary>> {
  const http = dashboard?.http ?? config.http;
  const observers = combineObservers(logStateChanges(), observer, dashboard?.observer ?? {});
  return runProcess<Pipeline, Summary>({
    http,
    durationMs,
    delivery: {
      readySeconds: config.kafka.readySeconds,
      observed: (topics, lost) => observers.delivery?.(topics, lost),
    },
    open: () => openPipeline(config, observers),
    routes: (pipeline) => (dashboard ? [dashboard.routes(pipeline)] : []),
    async ready(pipeline, port, resources) {
      const page =
        dashboard && port !== null ? { dashboard, url: `http://${urlHost(http.host)}:${port}/` } : null;
      if (file !== undefined) {
        const hotReload = await HotReload.open(pipeline.cameras, config, file, page);
        resources.add('hot reload', () => hotReload.close());
      }
      const { brokers } = pipeline;
      log.info(
        {
          cameras: config.cameras.length,
          brokers,
          http: port ?? undefined,
          ...(page ? { page: page.url } : {}),
        },
        `running: events to ${brokers}${page ? `, live page ${page.url}` : ''}`,
      );
      hooks?.started(brokers);
      if (page) showPage(page, showLink);
    },
    stop: (pipeline) => pipeline.stop(SHUTDOWN, hooks?.delivered),
  });
}

/** Logs each camera's changes of state. Statuses repeat every `ingest.statusSeconds`; repeats are not logged. */
function logStateChanges(): PipelineObserver {
  const logged = new Map<string, string>();
  return {
    status: ({ cameraId, state, previous, cause, detail, analysisFps }) => {
      const current = `${state} ${cause} ${analysisFps}`;
      if (logged.get(cameraId) === current) return;
      logged.set(cameraId, current);
      log[state === 'LIVE' || state === 'CONNECTING' ? 'info' : 'warn'](
        { cameraId, previous, cause, ...(analysisFps === null ? {} : { analysisFps }) },
        `camera ${cameraId} is ${state}: ${detail}`,
      );
    },
  };
}

function combineObservers(...observers: readonly PipelineObserver[]): PipelineObserver {
  return {
    frames: (frames) => observers.forEach((observer) => void observer.frames?.(frames)),
    activations: (activations) => observers.forEach((observer) => void observer.activations?.(activations)),
    status: (status) => observers.forEach((observer) => void observer.status?.(status)),
    faces: (faces) => observers.forEach((observer) => void observer.faces?.(faces)),
    room(signal) {
      const rooms = observers.flatMap((observer) => observer.room?.(signal) ?? []);
      return rooms.length > 0 ? Promise.all(rooms).then(() => {}) : null;
    },
    delivery: (topics, lost) => observers.forEach((observer) => void observer.delivery?.(topics, lost)),
  };
}

/** Shows how to open the live page. On a terminal that is a link, if the config names nobody who may sign in. */
function showPage({ dashboard, url }: LivePage, showLink: ((link: string) => void) | undefined): void {
  if (showLink)
    showLink(`live page: ${dashboard.needsLink ? dashboard.issueLink(url, { lasting: true }) : url}`);
  else if (dashboard.needsLink) log.info('austream dashboard prints a link that opens the live page');
}

function urlHost(host: string): string {
  if (host === 'localhost') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
