import { isDeepStrictEqual } from 'node:util';
import { Mutex } from 'async-mutex';
import type { CameraOrigin } from '../../camera/allow-list.ts';
import { type CameraAreas, NO_AREAS } from '../../camera/areas.ts';
import { splitCredentials } from '../../camera/credentials.ts';
import type { CameraOptions } from '../../camera/options.ts';
import { cameraRedactor } from '../../camera/redaction.ts';
import { isLiveSource } from '../../camera/source-url.ts';
import { wallMs } from '../../clock.ts';
import type { CameraStatus } from '../../domain/camera-status.ts';
import type { CameraEvents } from './camera-events.ts';
import type { StopCause } from './camera-lifecycle.ts';
import { logSandbox } from './camera-sandbox.ts';
import { Governor } from './governor.ts';
import { Pauses } from './pauses.ts';
import { CameraSupervisor, type SupervisorOptions } from './supervisor.ts';

/** One camera of the set, without credentials. */
export interface ListedCamera {
  readonly id: string;
  readonly url: string;
  readonly analysisFps: number;
  /** Masks and zones of its picture. */
  readonly areas: CameraAreas;
  /** The newest status. */
  readonly status: CameraStatus | null;
}

export type CameraChange = 'added' | 'changed' | 'unchanged';
/** `scheduled`: no operator pauses the camera any more, but its schedule does. */
export type PauseChange = 'paused' | 'resumed' | 'scheduled' | 'unchanged';

/** Changes to the cameras of a running process. Who adds a camera says where its definition comes from. */
export interface CameraControl extends Pick<CameraSet, 'remove' | 'list' | 'pause' | 'resume'> {
  add(camera: CameraOptions, origin: CameraOrigin): Promise<CameraChange>;
}

/** Epochs of live cameras over all processes. */
export interface CameraClaims {
  /** The first epoch of a new claim of the camera, above those of every other process. */
  claim(cameraId: string): Promise<number>;
  /** This process no longer runs the camera. */
  release(cameraId: string): void;
}

/** Interval at which schedules are read: a clock that is set takes effect at once. */
const SCHEDULE_CHECK_MS = 1_000;

interface Entry {
  camera: CameraOptions;
  readonly origin: CameraOrigin;
  readonly supervisor: CameraSupervisor;
  /** Its epochs are being claimed. */
  claiming: boolean;
  /** The newest status. */
  status: CameraStatus | null;
}

/** All cameras of this process. Each is added, changed and removed without an effect on the others. */
export class CameraSet {
  /**
   * Resolves when there are cameras, all of them are files, and all have ended. Rejects with an AustreamError when a
   * file fails and no camera is live.
   */
  readonly played: Promise<void>;
  readonly #options: SupervisorOptions;
  readonly #events: CameraEvents;
  readonly #entries = new Map<string, Entry>();
  /** One mutex per camera id that is being changed: changes of one camera run one after the other. */
  readonly #mutexes = new Map<string, Mutex>();
  /** Newest epoch of removed cameras: a camera that is added again numbers its epochs above. */
  readonly #lastEpochs = new Map<string, number>();
  readonly #claims: CameraClaims | null;
  readonly #governor: Governor;
  readonly #pauses: Pauses;
  readonly #scheduleTimer: NodeJS.Timeout;
  readonly #settled = Promise.withResolvers<void>();

  /**
   * `hasBackpressure`: the receiver of the faces cannot keep up; live cameras then shed frames. Throws
   * PREREQUISITE_MISSING if the config requires a sandbox that this system does not have.
   */
  constructor(
    options: SupervisorOptions,
    events: CameraEvents,
    hasBackpressure: () => boolean = () => false,
    claims: CameraClaims | null = null,
  ) {
    this.#claims = claims;
    logSandbox(options.ingest.sandbox);
    this.#options = options;
    this.#events = events;
    this.#governor = new Governor(options.ingest, hasBackpressure, () => this.#admitRefused());
    this.#pauses = new Pauses(options.now ?? wallMs);
    this.#scheduleTimer = setInterval(() => this.followSchedules(), SCHEDULE_CHECK_MS);
    this.#scheduleTimer.unref();
    this.played = this.#settled.promise;
    this.played.catch(() => {});
  }

  /** Starts a camera; restarts the one with this id if its options differ. Resolves once it was started. */
  add(camera: CameraOptions, origin: CameraOrigin = 'config'): Promise<CameraChange> {
    return this.#exclusively(camera.id, async () => {
      const existing = this.#entries.get(camera.id);
      if (existing?.origin === origin && isDeepStrictEqual(existing.camera, camera)) return 'unchanged';
      this.#pauses.define(camera, existing?.camera);
      if (
        existing?.origin === origin &&
        isDeepStrictEqual(withoutPaused(existing.camera), withoutPaused(camera))
      ) {
        existing.camera = camera;
        await this.#follow(existing);
        return 'changed';
      }
      const admitted = existing !== undefined && existing.supervisor.phase !== 'Refused';
      if (existing) await this.#stop(existing, 'changed');
      this.#start(camera, origin, admitted);
      return existing ? 'changed' : 'added';
    });
  }

  /**
   * Resolves when the camera is stopped and its last epoch was processed; false if none has this id. Cause
   * `stopped`: another worker takes the camera over.
   */
  remove(id: string, cause: 'removed' | 'stopped' = 'removed'): Promise<boolean> {
    return this.#exclusively(id, async () => {
      const entry = this.#entries.get(id);
      if (!entry) return false;
      await this.#stop(entry, cause);
      this.#entries.delete(id);
      this.#pauses.resume(id);
      this.#pauses.reclaim(id);
      if (cause === 'removed') this.#events.removed?.(id);
      this.#claims?.release(id);
      this.#governor.remove(id);
      this.#settleIfPlayed();
      return true;
    });
  }

  /**
   * Pauses a camera until `resume`: nothing is connected, and what is not scored is dropped. Resolves once its process is
   * gone; null if none has this id. `through`: by what means the operator pauses it, for its status.
   */
  pause(id: string, through: string): Promise<PauseChange | null> {
    return this.#exclusively(id, async () => {
      const entry = this.#entries.get(id);
      if (!entry) return null;
      if (!this.#pauses.pause(id, through)) return 'unchanged';
      await this.#follow(entry);
      return 'paused';
    });
  }

  /** Ends an operator's pause. Null if no camera has this id. */
  resume(id: string): Promise<PauseChange | null> {
    return this.#exclusively(id, async () => {
      const entry = this.#entries.get(id);
      if (!entry) return null;
      const change = this.#pauses.resume(id) ? 'resumed' : 'unchanged';
      await this.#follow(entry);
      return this.#pauses.of(entry.camera) === null ? change : 'scheduled';
    });
  }

  /** Another worker runs the camera: it is paused until `takeOver`. `detail`: one sentence for people. */
  async yield(id: string, detail: string): Promise<void> {
    await this.#exclusively(id, async () => {
      const entry = this.#entries.get(id);
      if (!entry) return;
      this.#pauses.yield(id, detail);
      await this.#follow(entry);
    });
  }

  /** Claims the camera and starts it again, with new epochs. */
  async takeOver(id: string): Promise<void> {
    await this.#exclusively(id, async () => {
      const entry = this.#entries.get(id);
      if (!entry || entry.supervisor.phase === 'Stopped') return;
      this.#pauses.reclaim(id);
      const { phase } = entry.supervisor;
      await this.#stop(entry, 'changed');
      this.#start(entry.camera, entry.origin, phase !== 'Refused' && phase !== 'Paused');
    });
  }

  /** Pauses and resumes cameras whose schedule says so. */
  followSchedules(): void {
    for (const { camera, supervisor } of this.#entries.values()) {
      const isPaused = supervisor.phase === 'Paused' || supervisor.phase === 'Pausing';
      if (camera.schedule === undefined || isPaused === (this.#pauses.of(camera) !== null)) continue;
      void this.#exclusively(camera.id, async () => {
        const entry = this.#entries.get(camera.id);
        if (entry) await this.#follow(entry);
      });
    }
  }

  list(): ListedCamera[] {
    return [...this.#entries.values()].map(({ camera, status }) => ({
      id: camera.id,
      url: cameraRedactor(camera)(splitCredentials(camera.url).url),
      analysisFps: camera.analysisFps,
      areas: camera.detect ?? NO_AREAS,
      status,
    }));
  }

  /** Stops all cameras. */
  async close(): Promise<void> {
    this.#governor.close();
    clearInterval(this.#scheduleTimer);
    await Promise.all(
      [...this.#entries.keys()].map((id) =>
        this.#exclusively(id, async () => {
          const entry = this.#entries.get(id);
          if (entry) await this.#stop(entry, 'stopped');
        }),
      ),
    );
  }

  /** `admitted`: the camera replaces one that admission control has admitted. */
  #start(camera: CameraOptions, origin: CameraOrigin, admitted: boolean): void {
    const lastEpoch = this.#lastEpochs.get(camera.id);
    const supervisor = new CameraSupervisor(
      camera,
      { ...this.#options, origin, ...(lastEpoch === undefined ? {} : { lastEpoch }) },
      {
        ...this.#events,
        status: (status) => {
          entry.status = status;
          this.#events.status(status);
        },
      },
    );
    const entry: Entry = { camera, origin, supervisor, claiming: false, status: null };
    this.#entries.set(camera.id, entry);
    // A changed camera may have been live before.
    if (!isLiveSource(camera.url)) this.#governor.remove(camera.id);
    if (this.#pauses.of(camera) !== null) void this.#follow(entry);
    else if (admitted) this.#run(entry);
    else this.#admit(entry);
    supervisor.done.then(
      () => this.#settleIfPlayed(),
      (error: Error) => this.#settleIfPlayed(error),
    );
  }

  /** Pauses the camera if it is to be paused, or starts it again. A paused camera leaves its capacity to others. */
  async #follow(entry: Entry): Promise<void> {
    const { camera, supervisor } = entry;
    const pause = this.#pauses.of(camera);
    if (pause !== null) {
      await supervisor.pause(pause);
      this.#governor.remove(camera.id);
    } else if (supervisor.phase === 'Paused') this.#admit(entry);
  }

  #admit(entry: Entry): void {
    const refusal = isLiveSource(entry.camera.url) ? this.#governor.refusal() : null;
    if (refusal === null) this.#run(entry);
    else entry.supervisor.refuse(refusal);
  }

  #run(entry: Entry): void {
    const { camera, supervisor } = entry;
    const live = isLiveSource(camera.url);
    // Files have backpressure and need no load shedding.
    if (live) this.#governor.add(camera.id, supervisor);
    // Whoever plays a file gives the same events, with the same epochs.
    if (!live || this.#claims === null) supervisor.start();
    else void this.#startClaimed(entry, this.#claims);
  }

  async #startClaimed(entry: Entry, claims: CameraClaims): Promise<void> {
    if (entry.claiming) return;
    entry.claiming = true;
    const firstEpoch = await claims.claim(entry.camera.id);
    entry.claiming = false;
    // It may have been paused, changed or removed meanwhile.
    const { camera, supervisor } = entry;
    if (this.#entries.get(camera.id) !== entry || this.#pauses.of(camera) !== null) return;
    if (['Idle', 'Refused', 'Paused'].includes(supervisor.phase)) supervisor.start(firstEpoch);
  }

  /** Admits refused cameras while there is capacity, first come, first served. */
  #admitRefused(): void {
    for (const entry of this.#entries.values()) if (entry.supervisor.phase === 'Refused') this.#admit(entry);
  }

  async #stop({ camera, supervisor }: Entry, cause: StopCause): Promise<void> {
    await supervisor.stop(cause);
    // Not after `stopped`: another worker continues the camera, and a replay of a file must give the same event ids.
    if (cause !== 'stopped') this.#lastEpochs.set(camera.id, supervisor.lastEpoch);
  }

  /** Settles `played` if every camera is a file that has ended. `error`: one of them failed. */
  #settleIfPlayed(error?: Error): void {
    const entries = [...this.#entries.values()];
    if (error && !entries.some(({ camera }) => isLiveSource(camera.url))) this.#settled.reject(error);
    if (entries.length > 0 && entries.every(({ supervisor }) => supervisor.hasEnded)) this.#settled.resolve();
  }

  async #exclusively<T>(id: string, change: () => Promise<T>): Promise<T> {
    const mutex = this.#mutexes.get(id) ?? new Mutex();
    this.#mutexes.set(id, mutex);
    try {
      return await mutex.runExclusive(change);
    } finally {
      if (!mutex.isLocked() && this.#mutexes.get(id) === mutex) this.#mutexes.delete(id);
    }
  }
}

function withoutPaused({ paused: _, ...camera }: CameraOptions): Omit<CameraOptions, 'paused'> {
  return camera;
}

/**
 * Applies a config change: removes cameras that the config no longer lists, adds new ones and restarts changed ones.
 * Cameras that were added by other means stay.
 */
export async function applyCameras(
  cameras: CameraControl,
  before: readonly CameraOptions[],
  after: readonly CameraOptions[],
): Promise<Readonly<Record<string, CameraChange | 'removed'>>> {
  const optionsBefore = new Map(before.map((camera) => [camera.id, camera]));
  const idsAfter = new Set(after.map(({ id }) => id));
  const dropped = before.filter(({ id }) => !idsAfter.has(id));
  const changed = after.filter((camera) => !isDeepStrictEqual(camera, optionsBefore.get(camera.id)));
  const changes = await Promise.all([
    ...dropped.map(async ({ id }) => [id, (await cameras.remove(id)) ? 'removed' : 'unchanged'] as const),
    ...changed.map(async (camera) => [camera.id, await cameras.add(camera, 'config')] as const),
  ]);
  return Object.fromEntries(changes);
}
