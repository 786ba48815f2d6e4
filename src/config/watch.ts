import { isDeepStrictEqual } from 'node:util';
import { AustreamError } from '../errors.ts';
import { configFingerprint } from './fingerprint.ts';
import { type Config, loadConfig } from './schema.ts';

export interface ConfigWatcherEvents {
  changed(current: Config, previous: Config): void;
  /** The file is not a valid config now; the last valid one stays in force. */
  rejected(error: AustreamError): void;
}

/**
 * Watches a config file and its overlays by polling their paths: editors and Kubernetes replace files, and inotify misses
 * changes on some file systems.
 */
export class ConfigWatcher {
  readonly #path: string;
  readonly #events: ConfigWatcherEvents;
  readonly #debounceMs: number;
  readonly #pollTimer: NodeJS.Timeout;
  #fingerprint: string | null = null;
  #polling = false;
  #config: Config;
  #reloadTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** `config` is the file's content as it was first loaded. */
  constructor(
    path: string,
    config: Config,
    events: ConfigWatcherEvents,
    { pollMs = 500, debounceMs = 700 }: { pollMs?: number; debounceMs?: number } = {},
  ) {
    this.#path = path;
    this.#config = config;
    this.#events = events;
    this.#debounceMs = debounceMs;
    this.#pollTimer = setInterval(() => void this.#poll(), pollMs);
    void this.#poll();
    // Polling does not report a change between the first load and now.
    this.#scheduleReload();
  }

  close(): void {
    clearTimeout(this.#reloadTimer);
    clearInterval(this.#pollTimer);
    this.#closed = true;
  }

  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    const fingerprint = await configFingerprint(this.#path).finally(() => {
      this.#polling = false;
    });
    const changed = this.#fingerprint !== null && this.#fingerprint !== fingerprint;
    this.#fingerprint = fingerprint;
    if (changed && !this.#closed) this.#scheduleReload();
  }

  /** Debounces: a file that is still being written may be no valid config. */
  #scheduleReload(): void {
    clearTimeout(this.#reloadTimer);
    this.#reloadTimer = setTimeout(() => this.#reload(), this.#debounceMs);
  }

  #reload(): void {
    let config: Config;
    try {
      config = loadConfig(this.#path);
    } catch (error) {
      this.#events.rejected(
        error instanceof AustreamError ? error : unexpectedError(this.#path, error as Error),
      );
      return;
    }
    const previous = this.#config;
    if (isDeepStrictEqual(config, previous)) return;
    this.#config = config;
    this.#events.changed(config, previous);
  }
}

/** Leaves out the error's message, which may quote a secret in the file. */
function unexpectedError(path: string, cause: Error): AustreamError {
  return new AustreamError('CONFIG_INVALID', `${path} cannot be loaded: ${cause.name}`, {
    fix: 'undo the last change; austream check shows what is wrong with a config',
    cause,
  });
}
