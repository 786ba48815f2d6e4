import type { HttpOptions } from '../http/options.ts';
import type { Telemetry } from './sdk.ts';
import { otlpSignals } from './signals.ts';

export type { Telemetry } from './sdk.ts';

/**
 * Prometheus metrics if the config serves HTTP; metrics and traces over OTLP if OpenTelemetry's standard environment
 * variables configure an exporter. Returns null, without loading the SDK, if neither is the case.
 */
export async function openTelemetry(http: HttpOptions): Promise<Telemetry | null> {
  if (process.env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return null;
  const otlp = otlpSignals(process.env);
  if (http.port === null && !otlp.metrics && !otlp.traces) return null;
  const { startTelemetry } = await import('./sdk.ts');
  return startTelemetry(otlp);
}
