import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/schema.ts';
import { ConfigFile } from '../config/watch.ts';
import { controlSocket } from '../control/options.ts';
import { ControlServer } from '../control/server.ts';
import { AustreamError } from '../errors.ts';
import { applyCameras, type CameraControl } from '../ingest/host/cameras.ts';
import { log } from '../log.ts';

/** Cameras that follow the config file and the control socket while austream runs. */
export class HotChanges {
  readonly #file: ConfigFile;
  readonly #control: ControlServer | null;

  private constructor(file: ConfigFile, control: ControlServer | null) {
    this.#file = file;
    this.#control = control;
  }

  /** Throws where the socket that the config names cannot be had; does without one that nobody asked for. */
  static async open(cameras: CameraControl, config: Config, path: string): Promise<HotChanges> {
    const control = await openControl(cameras, config);
    const file = new ConfigFile(path, config, {
      changed: (now, before) => void follow(cameras, path, now, before),
      rejected: (error) => log.error({ code: error.code }, `the config was not taken over: ${error.message}`),
    });
    return new HotChanges(file, control);
  }

  async close(): Promise<void> {
    this.#file.close();
    await this.#control?.close();
  }
}

async function openControl(cameras: CameraControl, config: Config): Promise<ControlServer | null> {
  const socket = controlSocket(config.control);
  if (socket === null) return null;
  try {
    return await ControlServer.open(socket, cameras);
  } catch (error) {
    if (!(error instanceof AustreamError) || config.control.socket !== undefined) throw error;
    log.warn({ code: error.code }, `no control socket: ${error.message} (${error.fix})`);
    return null;
  }
}

async function follow(cameras: CameraControl, path: string, now: Config, before: Config): Promise<void> {
  if (now.log.level !== before.log.level) log.level = now.log.level;
  const fixed = (Object.keys(now) as (keyof Config)[]).filter(
    (section) =>
      section !== 'cameras' && section !== 'log' && !isDeepStrictEqual(now[section], before[section]),
  );
  if (fixed.length > 0)
    log.warn({ sections: fixed }, `changes in ${fixed.join(', ')} of ${path} need a restart`);
  const changes = await applyCameras(cameras, before.cameras, now.cameras);
  log.info({ cameras: changes }, `cameras follow ${path}`);
}
