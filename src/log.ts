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

const REPEAT_MS = 60_000;

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

/** Logs a message that may repeat: at once when it is new, then at most once a minute while it stays the same. */
export class RepeatedWarning {
  readonly #fields: object;
  #last = { text: '', at: Number.NEGATIVE_INFINITY };

  constructor(fields: object) {
    this.#fields = fields;
  }

  warn(text: string): void {
    const at = performance.now();
    if (text === this.#last.text && at - this.#last.at < REPEAT_MS) return;
    this.#last = { text, at };
    log.warn(this.#fields, text);
  }
}

/** Whoever traces tells what a line belongs to; null ends that. */
export function correlateLogs(by: Correlator | null): void {
  correlator = by;
}
