import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { metrics, trace } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import {
  type MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { ProcessGauges } from '../diagnostics.ts';
import type { Routes } from '../http/health.ts';
import { FrameIdGenerator } from './ids.ts';
import { recordMetrics } from './metrics.ts';
import type { OtlpSignals } from './signals.ts';
import { recordTraces } from './traces.ts';

export interface Telemetry {
  /** `/metrics`, in Prometheus' text format. */
  readonly routes: Routes;
  /** Sets the function that reads the queue sizes. */
  watch(gauges: () => ProcessGauges): void;
  /** Flushes the exporters and shuts down; gives up after two seconds. */
  close(): Promise<void>;
}

/** One frame in a hundred: a trace every four seconds for a camera at 25 frames a second. */
const DEFAULT_SAMPLER = 'parentbased_traceidratio';
const DEFAULT_RATIO = '0.01';
/** Limit for the shutdown if the OTLP receiver does not respond. */
const CLOSE_TIMEOUT_MS = 2_000;

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** Starts OpenTelemetry and subscribes to the stages' diagnostics. */
export async function startTelemetry(otlp: OtlpSignals): Promise<Telemetry> {
  const environment = process.env;
  environment.OTEL_TRACES_SAMPLER ??= DEFAULT_SAMPLER;
  if (environment.OTEL_TRACES_SAMPLER === DEFAULT_SAMPLER)
    environment.OTEL_TRACES_SAMPLER_ARG ??= DEFAULT_RATIO;
  // OpenTelemetry's host detector would also send /etc/machine-id, which machine-id(5) calls confidential.
  environment.OTEL_NODE_RESOURCE_DETECTORS ??= 'env,serviceinstance';
  if (!environment.OTEL_RESOURCE_ATTRIBUTES?.includes('host.name='))
    environment.OTEL_RESOURCE_ATTRIBUTES = [
      `host.name=${encodeURIComponent(hostname())}`,
      ...(environment.OTEL_RESOURCE_ATTRIBUTES ? [environment.OTEL_RESOURCE_ATTRIBUTES] : []),
    ].join();
  const prometheus = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const readers: MetricReader[] = [prometheus];
  if (otlp.metrics) readers.push(new PeriodicExportingMetricReader(await periodicReader(environment)));
  const ids = new FrameIdGenerator();
  const sdk = new NodeSDK({
    serviceName: environment.OTEL_SERVICE_NAME ?? 'austream',
    metricReaders: readers,
    logRecordProcessors: [],
    idGenerator: ids,
    ...(otlp.traces ? {} : { spanProcessors: [] }),
  });
  sdk.start();
  const recorder = recordMetrics(metrics.getMeter('austream', version));
  const endTraces = otlp.traces ? recordTraces(trace.getTracer('austream', version), ids) : () => {};
  return {
    routes: (server) => {
      server.get('/metrics', (request, reply) => {
        reply.hijack();
        prometheus.getMetricsRequestHandler(request.raw, reply.raw);
      });
    },
    watch: (gauges) => recorder.watch(gauges),
    async close() {
      endTraces();
      recorder.end();
      await Promise.race([
        sdk.shutdown().catch(() => {}),
        new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS).unref()),
      ]);
      metrics.disable();
      trace.disable();
    },
  };
}

/** Interval and timeout by OpenTelemetry's variables; the exporters read all others themselves, except the protocol. */
async function periodicReader(environment: NodeJS.ProcessEnv) {
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
