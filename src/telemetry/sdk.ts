import { readFileSync } from 'node:fs';
import { metrics, trace } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import {
  type MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { Gauges } from '../diagnostics.ts';
import type { Routes } from '../http/health.ts';
import { FrameIdGenerator } from './ids.ts';
import { recordMetrics } from './metrics.ts';
import type { Signals } from './signals.ts';
import { recordTraces } from './traces.ts';

export interface Telemetry {
  /** `/metrics`, in the format of Prometheus. */
  readonly routes: Routes;
  /** Where the sizes of queues come from. */
  watch(gauges: () => Gauges): void;
  /** Sends what is left, and ends. */
  close(): Promise<void>;
}

/** One frame in a hundred: a trace every four seconds of a camera at 25 frames a second. */
const DEFAULT_SAMPLER = 'parentbased_traceidratio';
const DEFAULT_RATIO = '0.01';
/** What a shutdown may take when the receiver does not answer. */
const CLOSE_MS = 2_000;

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** Starts OpenTelemetry; listens to the stages' diagnostics from then on. */
export async function startTelemetry(otlp: Signals): Promise<Telemetry> {
  const environment = process.env;
  environment.OTEL_TRACES_SAMPLER ??= DEFAULT_SAMPLER;
  if (environment.OTEL_TRACES_SAMPLER === DEFAULT_SAMPLER)
    environment.OTEL_TRACES_SAMPLER_ARG ??= DEFAULT_RATIO;
  environment.OTEL_NODE_RESOURCE_DETECTORS ??= 'env,host,serviceinstance';
  const prometheus = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const readers: MetricReader[] = [prometheus];
  if (otlp.metrics) readers.push(new PeriodicExportingMetricReader(await periodic(environment)));
  const ids = new FrameIdGenerator();
  const sdk = new NodeSDK({
    serviceName: environment.OTEL_SERVICE_NAME ?? 'austream',
    metricReaders: readers,
    logRecordProcessors: [],
    idGenerator: ids,
    ...(otlp.traces ? {} : { spanProcessors: [] }),
  });
  sdk.start();
  const recorded = recordMetrics(metrics.getMeter('austream', version));
  const endTraces = otlp.traces ? recordTraces(trace.getTracer('austream', version), ids) : () => {};
  return {
    routes: (server) => {
      server.get('/metrics', (request, reply) => {
        reply.hijack();
        prometheus.getMetricsRequestHandler(request.raw, reply.raw);
      });
    },
    watch: (gauges) => recorded.watch(gauges),
    async close() {
      endTraces();
      recorded.end();
      await Promise.race([
        sdk.shutdown().catch(() => {}),
        new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref()),
      ]);
      metrics.disable();
      trace.disable();
    },
  };
}

/** The SDK reads all of OTLP's variables itself, but the choice of protocol. */
async function periodic(environment: NodeJS.ProcessEnv) {
  const interval = Number(environment.OTEL_METRIC_EXPORT_INTERVAL ?? 60_000);
  return {
    exporter: await otlpExporter(environment),
    exportIntervalMillis: interval,
    exportTimeoutMillis: Math.min(interval, Number(environment.OTEL_METRIC_EXPORT_TIMEOUT ?? 30_000)),
  };
}

async function otlpExporter(environment: NodeJS.ProcessEnv): Promise<PushMetricExporter> {
  const protocol = environment.OTEL_EXPORTER_OTLP_METRICS_PROTOCOL ?? environment.OTEL_EXPORTER_OTLP_PROTOCOL;
  switch (protocol) {
    case 'grpc':
      return new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter();
    default:
      return new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter();
  }
}
