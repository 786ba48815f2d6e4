import pino, { type Logger } from 'pino';
import { monotonicMs } from './clock.ts';
import { printableJson } from './printable.ts';
import { outgoingMessage } from './redaction.ts';

/** Ids of the trace that a log line belongs to, with OpenTelemetry's field names for logs. */
export interface TraceFields {
  readonly trace_id: string;
  readonly span_id: string;
  readonly trace_flags: string;
}
/** Finds the trace of a log line by the line's fields. */
export type Correlator = (line: { readonly cameraId?: unknown }) => TraceFields | undefined;

let correlator: Correlator | null = null;

const REPEAT_MS = 60_000;

/** What whoever keeps the log has not read is kept up to this size; later lines are left out and counted. */
const MAX_BEHIND_BYTES = 8 << 20;

const standardError = pino.destination({ dest: 2, minLength: 0, maxLength: MAX_BEHIND_BYTES });
let linesLeftOut = 0;
standardError.on('drop', () => {
  linesLeftOut += 1;
  if (linesLeftOut === 1) standardError.once('drain', tellLeftOut);
});

let write = (line: string): void => void standardError.write(`${printableJson(line.trimEnd())}\n`);

/** Log lines are JSON on standard error. Standard output carries only a command's results. */
export const log: Logger = pino(
  {
    level: 'info',
    base: { name: 'austream' },
    mixin: (line) => correlator?.(line) ?? {},
    hooks: {
      logMethod(args, method) {
        method.apply(this, args.map(outgoingFields) as typeof args);
      },
    },
  },
  { write: (line) => write(line) },
);

function tellLeftOut(): void {
  const lines = linesLeftOut;
  linesLeftOut = 0;
  log.warn({ lines }, `${lines} lines of this log were left out: whoever keeps it did not read them`);
}

/** Every text of a log call, without secrets; texts of other programs are bounded. */
function outgoingFields(value: unknown): unknown {
  if (typeof value === 'string') return outgoingMessage(value);
  if (Array.isArray(value)) return value.map(outgoingFields);
  if (value instanceof Error) return { type: value.name, message: outgoingMessage(value.message) };
  if (value === null || typeof value !== 'object') return value;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, outgoingFields(item)]));
}

/** Sends the message of each log line to `print` instead of standard error, for a command that draws on the terminal. */
export function redirectLog(print: (message: string) => void): void {
  write = (line) => print(JSON.parse(line).msg ?? line);
}

/** Logs a warning that may repeat: at once when its text changes, else at most once a minute. */
export class RepeatedWarning {
  readonly #fields: object;
  #last = { text: '', at: Number.NEGATIVE_INFINITY };

  constructor(fields: object) {
    this.#fields = fields;
  }

  warn(text: string): void {
    const at = monotonicMs();
    if (text === this.#last.text && at - this.#last.at < REPEAT_MS) return;
    this.#last = { text, at };
    log.warn(this.#fields, text);
  }
}

/** Adds trace ids to log lines from now on; null stops that. */
export function correlateLogs(newCorrelator: Correlator | null): void {
  correlator = newCorrelator;
}
