import pino, { type Logger } from 'pino';

/** Ids of the trace that a line belongs to, named as OpenTelemetry names them in logs that are not its own. */
export interface TraceFields {
  readonly trace_id: string;
  readonly span_id: string;
  readonly trace_flags: string;
}
/** Finds the trace of a line by its fields. */
export type Correlator = (line: { readonly cameraId?: unknown }) => TraceFields | undefined;

let correlator: Correlator | null = null;

const standardError = pino.destination(2);
let write = (line: string): void => void standardError.write(line);

/** Log lines are JSON on standard error; standard output belongs to what a command was asked for. */
export const log: Logger = pino(
  { level: 'info', base: { name: 'austream' }, mixin: (line) => correlator?.(line) ?? {} },
  { write: (line) => write(line) },
);

/** For a command that draws on the terminal: its lines' messages go to `show` instead. */
export function showLog(show: (message: string) => void): void {
  write = (line) => show(JSON.parse(line).msg ?? line);
}

/** Whoever traces tells what a line belongs to; null ends that. */
export function correlateLogs(by: Correlator | null): void {
  correlator = by;
}
