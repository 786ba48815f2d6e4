export interface OtlpSignals {
  readonly metrics: boolean;
  readonly traces: boolean;
}

/** The signals with an exporter or endpoint. Unlike in the SDK, a signal without either is off. */
export function otlpSignals(environment: NodeJS.ProcessEnv): OtlpSignals {
  const enabled = (signal: 'METRICS' | 'TRACES') => {
    const exporter = environment[`OTEL_${signal}_EXPORTER`];
    if (exporter) return exporter !== 'none';
    return Boolean(
      environment.OTEL_EXPORTER_OTLP_ENDPOINT || environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`],
    );
  };
  return { metrics: enabled('METRICS'), traces: enabled('TRACES') };
}
