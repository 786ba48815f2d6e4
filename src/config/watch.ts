import { type StatsListener, unwatchFile, watchFile } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { AustreamError } from '../errors.ts';
import { type Config, loadConfig } from './schema.ts';

export interface ConfigFileEvents {
  changed(config: Config, before: Config): void;
  /** The file as it is now is no valid config; what was valid goes on. */
  rejected(error: AustreamError): void;
}

/**
 * Follows a config file. It looks at the path, not at the file that was there first: editors and Kubernetes put another
 * one in its place, some file systems tell of no change, and a look twice a second costs nothing.
 */
export class ConfigFile {
  readonly #path: string;
  readonly #events: ConfigFileEvents;
  readonly #settleMs: number;
  readonly #onStat: StatsListener;
  #config: Config;
  #timer: NodeJS.Timeout | undefined;

  /** `config`: what the file said when it was read first. */
  constructor(
    path: string,
    config: Config,
    events: ConfigFileEvents,
    { lookMs = 500, settleMs = 700 }: { lookMs?: number; settleMs?: number } = {},
  ) {
    this.#path = path;
    this.#config = config;
    this.#events = events;
    this.#settleMs = settleMs;
    this.#onStat = () => this.#touched();
    watchFile(path, { interval: lookMs }, this.#onStat);
    // What was written between that reading and now has no event.
    this.#touched();
  }

  close(): void {
    clearTimeout(this.#timer);
    unwatchFile(this.#path, this.#onStat);
  }

  /** Reads once nothing has changed for a while: a file that is being written is no config yet. */
  #touched(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#read(), this.#settleMs);
  }

  #read(): void {
    let config: Config;
    try {
      config = loadConfig(this.#path);
    } catch (error) {
      this.#events.rejected(error instanceof AustreamError ? error : unforeseen(this.#path, error as Error));
      return;
    }
    const before = this.#config;
    if (isDeepStrictEqual(config, before)) return;
    this.#config = config;
    this.#events.changed(config, before);
  }
}

/** Its message may quote the file. */
function unforeseen(path: string, cause: Error): AustreamError {
  return new AustreamError('CONFIG_INVALID', `${path} cannot be taken over: ${cause.name}`, { cause });
}
