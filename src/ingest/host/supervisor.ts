import { fileURLToPath } from 'node:url';
import { cameraRedactor, splitCredentials } from '../../camera/credentials.ts';
import type { CameraOptions } from '../../camera/options.ts';
import { withPassword } from '../../camera/secrets.ts';
import { isLive } from '../../camera/source-url.ts';
import type { DetectOptions } from '../../detect/options.ts';
import type { CameraStatus } from '../../domain/camera-status.ts';
import type { FrameFaces } from '../../domain/face.ts';
import { AustreamError } from '../../errors.ts';
import type { IngestOptions } from '../options.ts';
import type { ToHost } from '../protocol/messages.ts';
import type { Governed } from './governor.ts';
import { CameraObserver } from './observer.ts';
import { CameraProcess, type ChildExit, describeExit } from './process.ts';
import { RestartPolicy } from './restart.ts';
import type { Load } from './shedding.ts';
import { startGate } from './start-gate.ts';
import { CHECK_MS, Watchdog } from './watchdog.ts';

export interface CameraEvents {
  /** Live sources never wait for the promise; files do, so that no frame of theirs is lost. */
  faces(faces: FrameFaces): void | Promise<void>;
  /** A new epoch began, or the camera is gone for good: every track of `epoch` is over. */
  epochEnded(cameraId: string, epoch: number): void | Promise<void>;
  status(status: CameraStatus): void;
}

export interface SupervisorOptions {
  readonly ingest: IngestOptions;
  readonly detect: DetectOptions;
  /** The program of the camera child. */
  readonly entry?: string;
  /** Epochs lie above: of a camera of this id that ran before. */
  readonly lastEpoch?: number;
}

const ENTRY = fileURLToPath(new URL('../child/main.ts', import.meta.url));

/** One camera: runs its child, restarts it as often as need be, and tells how it fares. */
export class CameraSupervisor implements Governed {
  /**
   * Resolves when a file has been played to its end, or the camera was stopped. Rejects when a file cannot be
   * played; live cameras never reject, they are tried for ever.
   */
  readonly done: Promise<void>;
  readonly #camera: CameraOptions;
  readonly #options: SupervisorOptions;
  readonly #events: CameraEvents;
  readonly #live: boolean;
  readonly #restart: RestartPolicy;
  readonly #observer: CameraObserver;
  #share = 1;
  readonly #settled = Promise.withResolvers<void>();
  #child: CameraProcess | null = null;
  #watchdog: Watchdog;
  #lastEpoch: number;
  /** The epoch of the frames last handed on, until it is ended. */
  #openEpoch: number | null = null;
  #failure: AustreamError | null = null;
  #ended = false;
  /** Why, when it was asked to stop. */
  #stopping: 'stopped' | 'removed' | 'changed' | null = null;
  #checkTimer: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #leaveGate: () => void = () => {};
  #redact: (text: string) => string;

  constructor(camera: CameraOptions, options: SupervisorOptions, events: CameraEvents) {
    this.#camera = camera;
    this.#options = options;
    this.#events = events;
    this.#live = isLive(camera.url);
    this.#lastEpoch = options.lastEpoch ?? (this.#live ? 0 : -1);
    this.#redact = cameraRedactor(camera);
    this.#restart = new RestartPolicy(options.ingest.backoff);
    this.#observer = new CameraObserver(camera, options.ingest, (status) => events.status(status));
    this.#watchdog = this.#newWatchdog();
    this.done = this.#settled.promise;
    this.done.catch(() => {});
  }

  /** The child's process id while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The newest epoch so far. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  /** It is not to start: tells why, until it may. */
  refuse(why: string): void {
    this.#observer.enter('REFUSED', 'CAMERA_TOO_MANY', why);
  }

  takeLoad(now: number): Load | null {
    return this.#observer.takeLoad(now, this.pid);
  }

  get coresNeeded(): number | null {
    return this.#observer.coresNeeded;
  }

  /** From now on this part of the frames is analysed, 0…1. */
  pace(share: number): void {
    this.#share = share;
    if (this.#observer.pace(share)) this.#child?.pace(share);
  }

  start(): void {
    this.#checkTimer = setInterval(() => this.#check(), CHECK_MS);
    const url = this.#redact(splitCredentials(this.#camera.url).url);
    this.#observer.enter('CONNECTING', 'started', `connecting to ${url}`);
    this.#connect();
  }

  /** Resolves when the child is gone. */
  async stop(cause: 'stopped' | 'removed' | 'changed' = 'stopped'): Promise<void> {
    if (this.#stopping === null) {
      this.#stopping = cause;
      clearTimeout(this.#restartTimer);
      this.#leaveGate();
      if (this.#child) this.#child.stop();
      else this.#finish(cause, cause, null);
    }
    await this.done.catch(() => {});
  }

  /** Starts a child as soon as others that start leave room. */
  #connect(): void {
    this.#leaveGate = startGate.pass(() => this.#spawn());
  }

  #spawn(): void {
    this.#watchdog = this.#newWatchdog();
    this.#failure = null;
    this.#ended = false;
    const { ingest, detect, entry } = this.#options;
    try {
      const camera = withPassword(this.#camera);
      this.#redact = cameraRedactor(camera);
      this.#child = new CameraProcess(
        { type: 'start', camera, ingest, detect, lastEpoch: this.#lastEpoch },
        entry ?? ENTRY,
        {
          message: (message) => this.#onMessage(message),
          faces: (faces) => this.#onFaces(faces),
          gone: (exit) => void this.#onGone(exit),
        },
      );
    } catch (error) {
      // Not at once: `connect` must be through with the gate.
      queueMicrotask(() => this.#retry(error as AustreamError));
    }
  }

  #newWatchdog(): Watchdog {
    return new Watchdog(this.#options.ingest, this.#live, performance.now());
  }

  #onMessage(message: ToHost): void {
    const now = performance.now();
    switch (message.type) {
      case 'opening':
        this.#leaveGate();
        this.#watchdog.opening(now);
        if (this.#share < 1) this.#child?.pace(this.#share);
        break;
      case 'resolved':
        this.#observer.resolved(message.detail);
        break;
      case 'connected':
        this.#watchdog.connected();
        break;
      case 'epoch':
        this.#watchdog.epoch(now);
        this.#restart.succeeded();
        this.#lastEpoch = message.epoch;
        this.#observer.epoch(message);
        break;
      case 'report':
        this.#watchdog.report(now, message.decoded, message.rss);
        this.#observer.report(message);
        break;
      case 'failed':
        this.#failure = new AustreamError(
          message.code,
          message.message,
          message.fix ? { fix: message.fix } : {},
        );
        break;
      case 'ended':
        this.#ended = true;
        break;
    }
  }

  async #onFaces(faces: FrameFaces): Promise<void> {
    if (this.#openEpoch !== null && this.#openEpoch !== faces.epoch) {
      const ended = this.#endEpoch();
      if (!this.#live) await ended;
    }
    this.#openEpoch = faces.epoch;
    const useful = this.#observer.frame(faces);
    // Ends of tracks count however late they come.
    const taken = this.#events.faces(useful ? faces : { ...faces, crops: [] });
    if (!this.#live) await taken;
    // Whoever takes the faces tells of its own failures; they must not end the cameras.
    else if (taken) taken.catch(() => {});
  }

  /** Never rejects. Live cameras do not wait for it either: what is told next stands behind it in any case. */
  async #endEpoch(): Promise<void> {
    const epoch = this.#openEpoch;
    this.#openEpoch = null;
    if (epoch === null) return;
    try {
      await this.#events.epochEnded(this.#camera.id, epoch);
    } catch {
      // As with faces: a failure there is told of there, and the camera goes on.
    }
  }

  async #onGone(exit: ChildExit): Promise<void> {
    this.#child = null;
    this.#observer.gone();
    this.#leaveGate();
    const ended = this.#endEpoch();
    if (!this.#live || this.#stopping) await ended;
    if (this.#stopping) return this.#finish(this.#stopping, this.#stopping, null);
    if (this.#ended && !this.#live) return this.#finish('CAMERA_ENDED', 'played to its end', null);
    this.#retry(this.#failure ?? new AustreamError('CAMERA_PROCESS_DIED', this.#redact(describeExit(exit))));
  }

  #retry(failure: AustreamError): void {
    this.#leaveGate();
    if (this.#stopping) this.#finish(this.#stopping, this.#stopping, null);
    else if (!this.#live) this.#finish(failure.code, failure.message, failure);
    else this.#tryAgain(failure);
  }

  #tryAgain(failure: AustreamError): void {
    const wait = this.#restart.next(performance.now(), failure.code === 'CAMERA_UNAUTHORIZED');
    const { code, message, fix } = failure;
    this.#observer.failed(code, this.#redact(fix ? `${message} (${fix})` : message));
    this.#restartTimer = setTimeout(() => this.#connect(), wait);
  }

  #check(): void {
    if (this.#child === null || this.#stopping || this.#failure) return;
    const verdict = this.#watchdog.check(performance.now());
    if (verdict === null) return;
    if (verdict.code === 'CAMERA_STALLED') this.#observer.enter('STALLED', verdict.code, verdict.message);
    this.#failure = new AustreamError(verdict.code, verdict.message);
    this.#child.kill();
  }

  #finish(cause: string, detail: string, error: AustreamError | null): void {
    clearInterval(this.#checkTimer);
    this.#observer.enter('STOPPED', cause, this.#redact(detail));
    if (error) this.#settled.reject(error);
    else this.#settled.resolve();
  }
}
