import { isDeepStrictEqual } from 'node:util';
import { cameraRedactor, splitCredentials } from '../../camera/credentials.ts';
import type { CameraOptions } from '../../camera/options.ts';
import { isLive } from '../../camera/source-url.ts';
import type { CameraStatus } from '../../domain/camera-status.ts';
import { Governor } from './governor.ts';
import { type CameraEvents, CameraSupervisor, type SupervisorOptions } from './supervisor.ts';

/** One camera of the set as people may see it: nothing secret in it. */
export interface ListedCamera {
  readonly id: string;
  readonly url: string;
  readonly analysisFps: number;
  /** The newest one. */
  readonly status: CameraStatus | null;
}

export type CameraChange = 'added' | 'changed' | 'unchanged';

/** What the outside may do with the cameras while they run. */
export type CameraControl = Pick<CameraSet, 'add' | 'remove' | 'list'>;

interface Entry {
  readonly camera: CameraOptions;
  readonly supervisor: CameraSupervisor;
  status: CameraStatus | null;
  /** Set when a file has been played, or could not be. */
  over: boolean;
  /** This machine has no room for it yet. */
  refused: boolean;
  /** It is being stopped, and not because it came to its end. */
  leaving: boolean;
}

/** The cameras of this process. They come, go and change one by one; none of that touches the others. */
export class CameraSet {
  /**
   * Resolves when there are cameras, all of them are files, and all have been played. Rejects when a file cannot be
   * played and no live camera is there for whose sake to go on.
   */
  readonly played: Promise<void>;
  readonly #options: SupervisorOptions;
  readonly #events: CameraEvents;
  readonly #entries = new Map<string, Entry>();
  /** What is being done with a camera; the next change of it waits. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Newest epoch of cameras that were here: should one come back, its epochs go on above. */
  readonly #lastEpochs = new Map<string, number>();
  readonly #governor: Governor;
  readonly #settled = Promise.withResolvers<void>();

  /** `behind`: what takes the faces cannot keep up; live cameras then give fewer. */
  constructor(options: SupervisorOptions, events: CameraEvents, behind: () => boolean = () => false) {
    this.#options = options;
    this.#events = events;
    this.#governor = new Governor(options.ingest, behind, () => this.#takeIn());
    this.played = this.#settled.promise;
    this.played.catch(() => {});
  }

  /** Starts a camera, or restarts the one of this id if its options differ. Resolves when it was started. */
  add(camera: CameraOptions): Promise<CameraChange> {
    return this.#inTurn(camera.id, async () => {
      const present = this.#entries.get(camera.id);
      if (present && isDeepStrictEqual(present.camera, camera)) return 'unchanged';
      if (present) await this.#stop(present, 'changed');
      this.#start(camera, present !== undefined && !present.refused);
      return present ? 'changed' : 'added';
    });
  }

  /**
   * Resolves when the camera is stopped and all that it gave was handed on; false where there is none of this id.
   * `stopped`: it goes on elsewhere.
   */
  remove(id: string, cause: 'removed' | 'stopped' = 'removed'): Promise<boolean> {
    return this.#inTurn(id, async () => {
      const present = this.#entries.get(id);
      if (!present) return false;
      await this.#stop(present, cause);
      this.#entries.delete(id);
      this.#governor.remove(id);
      this.#look();
      return true;
    });
  }

  list(): ListedCamera[] {
    return [...this.#entries.values()].map(({ camera, status }) => ({
      id: camera.id,
      url: cameraRedactor(camera)(splitCredentials(camera.url).url),
      analysisFps: camera.analysisFps,
      status,
    }));
  }

  /** Stops all of them. */
  async close(): Promise<void> {
    this.#governor.close();
    await Promise.all(
      [...this.#entries.keys()].map((id) =>
        this.#inTurn(id, async () => {
          const entry = this.#entries.get(id);
          if (entry) await this.#stop(entry, 'stopped');
        }),
      ),
    );
  }

  /** `hasPlace`: it is one of the running ones already. */
  #start(camera: CameraOptions, hasPlace: boolean): void {
    const lastEpoch = this.#lastEpochs.get(camera.id);
    const supervisor = new CameraSupervisor(
      camera,
      { ...this.#options, ...(lastEpoch === undefined ? {} : { lastEpoch }) },
      {
        ...this.#events,
        status: (status) => {
          entry.status = status;
          this.#events.status(status);
        },
      },
    );
    const entry: Entry = { camera, supervisor, status: null, over: false, refused: false, leaving: false };
    this.#entries.set(camera.id, entry);
    // One that was live may be a file now.
    if (!isLive(camera.url)) this.#governor.remove(camera.id);
    if (hasPlace) this.#run(entry);
    else this.#admit(entry);
    supervisor.done.then(
      () => this.#over(entry),
      (error: Error) => this.#over(entry, error),
    );
  }

  #admit(entry: Entry): void {
    const refusal = isLive(entry.camera.url) ? this.#governor.refusal() : null;
    entry.refused = refusal !== null;
    if (refusal === null) this.#run(entry);
    else entry.supervisor.refuse(refusal);
  }

  #run({ camera, supervisor }: Entry): void {
    // Files take what time there is; the live ones share it.
    if (isLive(camera.url)) this.#governor.add(camera.id, supervisor);
    supervisor.start();
  }

  /** First come, first served. */
  #takeIn(): void {
    for (const entry of this.#entries.values()) if (entry.refused && !entry.leaving) this.#admit(entry);
  }

  async #stop(entry: Entry, cause: 'stopped' | 'removed' | 'changed'): Promise<void> {
    const { camera, supervisor } = entry;
    entry.leaving = true;
    await supervisor.stop(cause);
    // One that is run elsewhere meanwhile, or begins again from nothing, gives the same event ids for the same frames.
    if (cause !== 'stopped') this.#lastEpochs.set(camera.id, supervisor.lastEpoch);
  }

  #over(entry: Entry, error?: Error): void {
    if (entry.leaving) return;
    entry.over = true;
    if (error && ![...this.#entries.values()].some(({ camera }) => isLive(camera.url)))
      this.#settled.reject(error);
    this.#look();
  }

  #look(): void {
    const entries = [...this.#entries.values()];
    if (entries.length > 0 && entries.every(({ over }) => over)) this.#settled.resolve();
  }

  #inTurn<T>(id: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(act);
    const quiet = turn.then(
      () => {},
      () => {},
    );
    this.#turns.set(id, quiet);
    void quiet.then(() => {
      if (this.#turns.get(id) === quiet) this.#turns.delete(id);
    });
    return turn;
  }
}

/**
 * Brings the cameras from those that a config had to those that it has now. Cameras that came by another way stay, and
 * those that the config says nothing new of are as they were left.
 */
export async function applyCameras(
  cameras: CameraControl,
  before: readonly CameraOptions[],
  now: readonly CameraOptions[],
): Promise<Readonly<Record<string, CameraChange | 'removed'>>> {
  const known = new Map(before.map((camera) => [camera.id, camera]));
  const wanted = new Set(now.map(({ id }) => id));
  const gone = before.filter(({ id }) => !wanted.has(id));
  const other = now.filter((camera) => !isDeepStrictEqual(camera, known.get(camera.id)));
  const changes = await Promise.all([
    ...gone.map(async ({ id }) => [id, (await cameras.remove(id)) ? 'removed' : 'unchanged'] as const),
    ...other.map(async (camera) => [camera.id, await cameras.add(camera)] as const),
  ]);
  return Object.fromEntries(changes);
}
