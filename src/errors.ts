import { outgoingMessage } from './redaction.ts';

/**
 * Every failure that austream reports by itself: the exit code of a command that ends with it, and whether the same
 * attempt can succeed later. The list is closed: a test compares it with docs/troubleshooting.md.
 */
export const ERROR_CODES = {
  CONFIG_INVALID: { exitCode: 2, canRetry: false },
  ARGUMENT_INVALID: { exitCode: 2, canRetry: false },
  CONTROL_UNREACHABLE: { exitCode: 1, canRetry: true },
  PORT_IN_USE: { exitCode: 1, canRetry: false },
  CAMERA_UNREACHABLE: { exitCode: 1, canRetry: true },
  CAMERA_UNAUTHORIZED: { exitCode: 1, canRetry: true },
  CAMERA_NOT_ALLOWED: { exitCode: 1, canRetry: true },
  CAMERA_NOT_FOUND: { exitCode: 1, canRetry: true },
  CAMERA_NOT_ONVIF: { exitCode: 1, canRetry: true },
  CAMERA_NO_VIDEO: { exitCode: 1, canRetry: true },
  CAMERA_CODEC_MISSING: { exitCode: 1, canRetry: true },
  CAMERA_UNTRUSTED: { exitCode: 1, canRetry: true },
  CAMERA_STALLED: { exitCode: 1, canRetry: true },
  CAMERA_LAGGING: { exitCode: 1, canRetry: true },
  CAMERA_TOO_MANY: { exitCode: 1, canRetry: true },
  CAMERA_ENDED: { exitCode: 0, canRetry: false },
  CAMERA_STREAM_FAILED: { exitCode: 1, canRetry: true },
  CAMERA_PROCESS_DIED: { exitCode: 1, canRetry: true },
  MODEL_INVALID: { exitCode: 1, canRetry: false },
  MODEL_NOT_FOUND: { exitCode: 1, canRetry: false },
  ENGINE_UNAVAILABLE: { exitCode: 1, canRetry: false },
  ENGINE_FAILED: { exitCode: 1, canRetry: true },
  KAFKA_UNREACHABLE: { exitCode: 1, canRetry: true },
  KAFKA_REJECTED: { exitCode: 1, canRetry: false },
  KAFKA_PRODUCER_FENCED: { exitCode: 1, canRetry: true },
  REGISTRY_UNREACHABLE: { exitCode: 1, canRetry: true },
  REGISTRY_REJECTED: { exitCode: 1, canRetry: false },
  SPOOL_UNUSABLE: { exitCode: 1, canRetry: false },
  MESSAGE_UNREADABLE: { exitCode: 1, canRetry: false },
  SCHEMA_INVALID: { exitCode: 1, canRetry: false },
  LOSSES_FOUND: { exitCode: 1, canRetry: false },
  DISK_FULL: { exitCode: 1, canRetry: true },
  PREREQUISITE_MISSING: { exitCode: 1, canRetry: false },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * The base of every error of austream. `message` names the thing and says what is wrong, `fix` says what to do. Both may
 * quote other programs: they are made printable, and known secrets are removed. `cause` is the underlying error. Retries are decided by `canRetry`, never by the message.
 */
export class AustreamError extends Error {
  readonly code: ErrorCode;
  readonly fix: string | undefined;

  constructor(code: ErrorCode, message: string, options: { fix?: string; cause?: unknown } = {}) {
    super(outgoingMessage(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AustreamError';
    this.code = code;
    this.fix = options.fix && outgoingMessage(options.fix);
  }

  /** Whether the same attempt can succeed later. */
  get canRetry(): boolean {
    return ERROR_CODES[this.code].canRetry;
  }

  /** Exit code of a command that ends with this error. */
  get exitCode(): number {
    return ERROR_CODES[this.code].exitCode;
  }
}
