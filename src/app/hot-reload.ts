import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/schema.ts';
import { ConfigWatcher } from '../config/watch.ts';
import { controlSocket } from '../control/options.ts';
import { ControlServer } from '../control/server.ts';
import { AustreamError } from '../errors.ts';
import { applyCameras, type CameraControl } from '../ingest/host/camera-set.ts';
import { log } from '../log.ts';
import type { LivePage } from './live-page.ts';

const APPLIED_AT_ONCE = new Set<keyof Config>(['cameras', 'dashboard', 'log']);

/** Applies changes of the config file, and requests on the control socket, to the running cameras and the live page. */
export class HotReload {
  readonly #watcher: ConfigWatcher;
  readonly #control: ControlServer | null;

  private constructor(watcher: ConfigWatcher, control: ControlServer | null) {
    this.#watcher = watcher;
    this.#control = control;
  }

  /** Throws when the socket that the config names cannot be opened. The default socket is optional: it only warns. */
  static async open(
    cameras: CameraControl,
    config: Config,
    file: string,
    page: LivePage | null = null,
  ): Promise<HotReload> {
    const control = await openControl(cameras, config, page);
    const watcher = new ConfigWatcher(file, config, {
      changed: (current, previous) => {
        if (page) configurePage(page, file, current);
        void applyChanges(cameras, file, current, previous);
      },
      rejected: (error) => log.error({ code: error.code }, `the config was not applied: ${error.message}`),
    });
    return new HotReload(watcher, control);
  }

  async close(): Promise<void> {
    this.#watcher.close();
    await this.#control?.close();
  }
}

async function openControl(
  cameras: CameraControl,
  config: Config,
  page: LivePage | null,
): Promise<ControlServer | null> {
  const socket = controlSocket(config.control);
  if (socket === null) return null;
  try {
    return await ControlServer.open(socket, cameras, {
      issueLink: page && (() => page.dashboard.issueLink(page.url)),
    });
  } catch (error) {
    if (!(error instanceof AustreamError) || config.control.socket !== undefined) throw error;
    log.warn({ code: error.code }, `no control socket: ${error.message} (${error.fix})`);
    return null;
  }
}

/** Who may use the page changes at once, also when someone is removed. An invalid change leaves it as it was. */
function configurePage({ dashboard }: LivePage, file: string, current: Config): void {
  try {
    dashboard.configure(current);
  } catch (error) {
    if (!(error instanceof AustreamError)) throw error;
    log.error({ code: error.code }, `the live page does not follow ${file}: ${error.message} (${error.fix})`);
  }
}

/** `http.token` is applied at once, unlike the rest of `http`. */
function withoutToken(config: Config): Config {
  const { token: _, ...http } = config.http;
  return { ...config, http };
}

async function applyChanges(
  cameras: CameraControl,
  file: string,
  current: Config,
  previous: Config,
): Promise<void> {
  if (current.log.level !== previous.log.level) log.level = current.log.level;
  const needRestart = (Object.keys(current) as (keyof Config)[]).filter(
    (section) =>
      !APPLIED_AT_ONCE.has(section) &&
      !isDeepStrictEqual(withoutToken(current)[section], withoutToken(previous)[section]),
  );
  if (needRestart.length > 0)
    log.warn({ sections: needRestart }, `changes in ${needRestart.join(', ')} of ${file} need a restart`);
  const changes = await applyCameras(cameras, previous.cameras, current.cameras);
  log.info({ cameras: changes }, `cameras follow ${file}`);
}
