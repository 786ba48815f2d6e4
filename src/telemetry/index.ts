import type { Gauges } from '../diagnostics.ts';
import type { Routes } from '../http/health.ts';
import type { HttpOptions } from '../http/options.ts';

export interface Telemetry {
  /** `/metrics`, in the format of Prometheus. */
  readonly routes: Routes;
  /** Where the sizes of queues come from. */
  watch(gauges: () => Gauges): void;
  /** Sends what is left, and ends. */
  close(): Promise<void>;
}

/**
 * Metrics for Prometheus where the config serves HTTP, metrics and traces over OTLP where OpenTelemetry's standard
 * environment variables ask for them; null, and not even loaded, where nobody wants any.
 */
export async function openTelemetry(http: HttpOptions): Promise<Telemetry | null> {
  if (process.env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return null;
  const otlp = otlpSignals(process.env);
  if (http.port === null && !otlp.metrics && !otlp.traces) return null;
  const { startTelemetry } = await import('./sdk.ts');
  return startTelemetry(otlp);
}

export interface Signals {
  readonly metrics: boolean;
  readonly traces: boolean;
}

/** Which signals have somewhere to go. Unlike the SDK's own default, silence means no. */
function otlpSignals(environment: NodeJS.ProcessEnv): Signals {
  const wanted = (signal: 'METRICS' | 'TRACES') => {
    const exporter = environment[`OTEL_${signal}_EXPORTER`];
    if (exporter) return exporter !== 'none';
    return Boolean(
      environment.OTEL_EXPORTER_OTLP_ENDPOINT || environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`],
    );
  };
  return { metrics: wanted('METRICS'), traces: wanted('TRACES') };
}
