import { log } from '../log.ts';

/** A shutdown after an unexpected error may hang on what the error has broken. */
const SHUTDOWN_MS = 20_000;

/** Errors that nobody has caught: defects of this program. */
export class UnexpectedErrors {
  /** Rejects with the first one, so that the process drains its queues and leaves its consumer groups. */
  readonly first: Promise<never>;
  readonly #reject: (error: unknown) => void;
  #found = false;

  constructor() {
    const { promise, reject } = Promise.withResolvers<never>();
    this.first = promise;
    this.first.catch(() => {});
    this.#reject = reject;
    process.on('uncaughtException', this.#onError);
    process.on('unhandledRejection', this.#onError);
  }

  close(): void {
    process.off('uncaughtException', this.#onError);
    process.off('unhandledRejection', this.#onError);
  }

  readonly #onError = (error: unknown): void => {
    log.error(`unexpected error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    if (this.#found) return;
    this.#found = true;
    setTimeout(() => process.exit(1), SHUTDOWN_MS).unref();
    this.#reject(error);
  };
}
