export interface Signals {
  readonly metrics: boolean;
  readonly traces: boolean;
}

/** Which signals have somewhere to go. Unlike the SDK's own default, silence means no. */
export function otlpSignals(environment: NodeJS.ProcessEnv): Signals {
  const wanted = (signal: 'METRICS' | 'TRACES') => {
    const exporter = environment[`OTEL_${signal}_EXPORTER`];
    if (exporter) return exporter !== 'none';
    return Boolean(
      environment.OTEL_EXPORTER_OTLP_ENDPOINT || environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`],
    );
  };
  return { metrics: wanted('METRICS'), traces: wanted('TRACES') };
}
