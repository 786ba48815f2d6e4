import { fileURLToPath } from 'node:url';
import type { DetectOptions } from '../detect/options.ts';
import type { CameraStatus, FrameFaces } from '../domain.ts';
import { AustreamError } from '../errors.ts';
import { GapFinder } from './gaps.ts';
import type { ToHost } from './messages.ts';
import type { CameraOptions, IngestOptions } from './options.ts';
import { CameraProcess } from './process.ts';
import { cameraRedactor, splitCredentials } from './redact.ts';
import { RestartPolicy } from './restart.ts';
import { isLive } from './source.ts';
import { StatusKeeper } from './status.ts';

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
}

const ENTRY = fileURLToPath(new URL('main.ts', import.meta.url));
/** Node, the detector's weights and GStreamer's registry: on a busy machine that takes its time. */
const START_MS = 60_000;
/** A child that gives no sign of life for this long hangs. */
const HANG_MS = 10_000;
const CHECK_MS = 250;

/** One camera: runs its child, restarts it as often as need be, and tells how it fares. */
export class CameraSupervisor {
  /**
   * Resolves when a file has been played to its end, or the camera was stopped. Rejects when a file cannot be
   * played; live cameras never reject, they are tried for ever.
   */
  readonly done: Promise<void>;
  readonly #camera: CameraOptions;
  readonly #options: SupervisorOptions;
  readonly #events: CameraEvents;
  readonly #live: boolean;
  readonly #redact: (text: string) => string;
  readonly #restart: RestartPolicy;
  readonly #status: StatusKeeper;
  readonly #gaps: GapFinder;
  readonly #settled = Promise.withResolvers<void>();
  #child: CameraProcess | null = null;
  #phase: 'starting' | 'connecting' | 'live' = 'starting';
  #aliveAt = 0;
  #progressAt = 0;
  #decoded = -1;
  #lastEpoch: number;
  /** The epoch of the frames last handed on, until it is ended. */
  #openEpoch: number | null = null;
  #failure: AustreamError | null = null;
  #ended = false;
  #stopping = false;
  #timers: NodeJS.Timeout[] = [];
  #restartTimer: NodeJS.Timeout | undefined;

  constructor(camera: CameraOptions, options: SupervisorOptions, events: CameraEvents) {
    this.#camera = camera;
    this.#options = options;
    this.#events = events;
    this.#live = isLive(camera.url);
    this.#lastEpoch = this.#live ? 0 : -1;
    this.#redact = cameraRedactor(camera);
    this.#restart = new RestartPolicy(options.ingest.backoff);
    this.#status = new StatusKeeper(camera.id);
    this.#gaps = new GapFinder(options.ingest.gapSeconds);
    this.done = this.#settled.promise;
    this.done.catch(() => {});
  }

  /** The child's process id while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#check(), CHECK_MS),
      setInterval(() => this.#repeat(), this.#options.ingest.statusSeconds * 1000),
    ];
    this.#enter(
      'CONNECTING',
      'started',
      `connecting to ${this.#redact(splitCredentials(this.#camera.url).url)}`,
    );
    this.#spawn();
  }

  /** Resolves when the child is gone. */
  async stop(): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      clearTimeout(this.#restartTimer);
      if (this.#child) this.#child.stop();
      else this.#finish('stopped', 'stopped', null);
    }
    await this.done.catch(() => {});
  }

  #spawn(): void {
    this.#phase = 'starting';
    this.#failure = null;
    this.#ended = false;
    this.#decoded = -1;
    this.#aliveAt = this.#progressAt = performance.now();
    const { ingest, detect, entry } = this.#options;
    this.#child = new CameraProcess(
      { type: 'start', camera: this.#camera, ingest, detect, lastEpoch: this.#lastEpoch },
      entry ?? ENTRY,
      {
        message: (message) => this.#onMessage(message),
        faces: (faces) => this.#onFaces(faces),
        gone: (exit) => void this.#onGone(exit),
      },
    );
  }

  #onMessage(message: ToHost): void {
    this.#aliveAt = performance.now();
    switch (message.type) {
      case 'opening':
        this.#phase = 'connecting';
        this.#progressAt = performance.now();
        break;
      case 'epoch':
        this.#phase = 'live';
        this.#progressAt = performance.now();
        this.#lastEpoch = message.epoch;
        this.#decoded = -1;
        this.#restart.succeeded();
        this.#status.picture(message);
        this.#enter('LIVE', message.cause, `${message.width}×${message.height} ${message.codec ?? 'video'}`);
        break;
      case 'report':
        this.#status.drops(message.drops);
        if (message.decoded > this.#decoded) this.#progressAt = performance.now();
        this.#decoded = message.decoded;
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
    if (this.#openEpoch !== null && this.#openEpoch !== faces.epoch) await this.#endEpoch();
    this.#openEpoch = faces.epoch;
    this.#status.frame(faces);
    const gap = this.#live ? this.#gaps.next(faces) : null;
    if (gap) this.#events.status(this.#status.status(gap));
    const taken = this.#events.faces(faces);
    if (!this.#live) await taken;
  }

  async #endEpoch(): Promise<void> {
    const epoch = this.#openEpoch;
    this.#openEpoch = null;
    if (epoch !== null) await this.#events.epochEnded(this.#camera.id, epoch);
  }

  async #onGone(exit: { signal: string | null; code: number | null; complaints: string }): Promise<void> {
    this.#child = null;
    await this.#endEpoch();
    if (this.#stopping) return this.#finish('stopped', 'stopped', null);
    if (this.#ended && !this.#live) return this.#finish('CAMERA_ENDED', 'played to its end', null);
    const failure = this.#failure ?? this.#died(exit);
    if (!this.#live) return this.#finish(failure.code, failure.message, failure);
    const wait = this.#restart.next(performance.now());
    this.#gaps.interrupted(failure.code);
    this.#status.restarted();
    this.#enter(
      'RECONNECTING',
      failure.code,
      this.#redact(failure.fix ? `${failure.message} (${failure.fix})` : failure.message),
    );
    this.#restartTimer = setTimeout(() => this.#spawn(), wait);
  }

  #died(exit: { signal: string | null; code: number | null; complaints: string }): AustreamError {
    const how = exit.signal ? `was killed by ${exit.signal}` : `ended with code ${exit.code}`;
    const last = this.#redact(exit.complaints.trim().split('\n').at(-1) ?? '');
    return new AustreamError('CAMERA_PROCESS_DIED', `the camera process ${how}${last ? `: ${last}` : ''}`);
  }

  /** Notices what no message tells of: a child that hangs, a camera that gives nothing. */
  #check(): void {
    if (this.#child === null || this.#stopping || this.#failure) return;
    const now = performance.now();
    const { connectSeconds, stallSeconds } = this.#options.ingest;
    const quiet = now - this.#progressAt;
    if (this.#phase === 'starting' ? quiet > START_MS : now - this.#aliveAt > HANG_MS)
      this.#abandon('CAMERA_PROCESS_DIED', 'the camera process does not answer');
    // A file waits for its reader, and that may take long.
    else if (!this.#live) return;
    else if (this.#phase === 'connecting' && quiet > connectSeconds * 1000)
      this.#abandon('CAMERA_UNREACHABLE', `no picture within ${connectSeconds} s of connecting`);
    else if (this.#phase === 'live' && quiet > stallSeconds * 1000) {
      this.#enter('STALLED', 'CAMERA_STALLED', `no picture for ${stallSeconds} s`);
      this.#abandon('CAMERA_STALLED', `no picture for ${stallSeconds} s`);
    }
  }

  #abandon(code: 'CAMERA_PROCESS_DIED' | 'CAMERA_UNREACHABLE' | 'CAMERA_STALLED', message: string): void {
    this.#failure = new AustreamError(code, message);
    this.#child?.kill();
  }

  #finish(cause: string, detail: string, error: AustreamError | null): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#enter('STOPPED', cause, this.#redact(detail));
    if (error) this.#settled.reject(error);
    else this.#settled.resolve();
  }

  #enter(state: CameraStatus['state'], cause: string, detail: string): void {
    if (this.#status.enter(state, cause, detail)) this.#events.status(this.#status.status());
  }

  #repeat(): void {
    this.#status.count();
    this.#events.status(this.#status.status());
  }
}
