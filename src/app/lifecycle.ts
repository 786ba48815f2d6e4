import type { ProcessGauges } from '../diagnostics.ts';
import { type Probes, type Routes, serveHealth } from '../http/health.ts';
import type { HttpOptions } from '../http/options.ts';
import { makeUndumpable } from '../sandbox/support.ts';
import { openTelemetry } from '../telemetry/index.ts';
import { watchClock } from './clock-watch.ts';
import { DeliveryWatch, type DeliveryWatchOptions } from './delivery-watch.ts';
import { ResourceStack } from './resource-stack.ts';
import { UnexpectedErrors } from './unexpected-errors.ts';
import { type EndReason, waitForEnd } from './wait-for-end.ts';

/** The work of one process: the pipeline, an ingest worker or an inference worker. */
export interface Worker extends Probes {
  /** Resolves when there is nothing left to do; rejects when a stage fails. */
  readonly done: Promise<unknown>;
  /** How full its queues are. */
  stats(): ProcessGauges;
}

export interface ProcessSteps<W extends Worker, Summary> {
  readonly http: HttpOptions;
  readonly delivery: DeliveryWatchOptions;
  readonly durationMs?: number | undefined;
  open(): Promise<W>;
  /** HTTP routes beside the probes and `/metrics`. */
  routes?(worker: W): readonly Routes[];
  /** Runs when everything is open. `port` is null where nothing is served. What it adds to `resources` closes first. */
  ready(worker: W, port: number | null, resources: ResourceStack): void | Promise<void>;
  /** Drains the worker within its time limits and closes it. */
  stop(worker: W): Promise<Summary>;
}

export interface ProcessResult<Summary> {
  readonly endReason: EndReason;
  readonly summary: Summary;
  /** Losses of the process, by cause. */
  readonly lost: Readonly<Record<string, number>>;
}

/**
 * The lifecycle of `run`, `ingest` and `infer`:
 *
 *   telemetry → worker → HTTP server → ready → wait for the end → HTTP server → drain → worker → telemetry
 *            (opened in this order)                              (closed in reverse order)
 *
 * The closing half runs after any failure, too. Rejects with the first error; later ones are logged.
 */
export async function runProcess<W extends Worker, Summary>(
  steps: ProcessSteps<W, Summary>,
): Promise<ProcessResult<Summary>> {
  const { http, durationMs } = steps;
  // Passwords of cameras and brokers are in this process.
  makeUndumpable();
  const resources = new ResourceStack();
  const watch = new DeliveryWatch(steps.delivery);
  const unexpected = new UnexpectedErrors();
  resources.add('handler of unexpected errors', () => unexpected.close());
  let summary: Summary;
  const endReason = await resources.closeAfter(async () => {
    resources.add('clock watch', watchClock());
    const telemetry = await openTelemetry(http);
    if (telemetry) resources.add('telemetry', () => telemetry.close());

    resources.add('delivery watch', () => watch.close());
    const worker = await steps.open();
    resources.add('worker', async () => {
      summary = await steps.stop(worker);
    });
    telemetry?.watch(() => worker.stats());
    watch.follow(() => worker.stats());
    const probes: Probes = {
      missing: () => [...worker.missing(), ...watch.missing],
      ...(worker.alive ? { alive: () => worker.alive!() } : {}),
    };

    const routes = [...(telemetry ? [telemetry.routes] : []), ...(steps.routes?.(worker) ?? [])];
    const server = await serveHealth(http, probes, ...routes);
    if (server) resources.add('HTTP server', () => server.close());

    await steps.ready(worker, server?.port ?? null, resources);
    return waitForEnd(Promise.race([worker.done, unexpected.first]), durationMs);
  });
  return { endReason, summary: summary!, lost: watch.lost };
}
