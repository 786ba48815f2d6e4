import { fileURLToPath } from 'node:url';
import { type AllowList, type CameraOrigin, NOTHING_ALLOWED } from '../../camera/allow-list.ts';
import { splitCredentials } from '../../camera/credentials.ts';
import type { CameraOptions } from '../../camera/options.ts';
import { cameraRedactor } from '../../camera/redaction.ts';
import { resolveCamera } from '../../camera/resolve.ts';
import { isLiveSource } from '../../camera/source-url.ts';
import { monotonicMs, wallMs } from '../../clock.ts';
import type { DetectOptions } from '../../detect/options.ts';
import { newClaim } from '../../domain/epoch.ts';
import type { FrameFaces } from '../../domain/face.ts';
import { AustreamError } from '../../errors.ts';
import { log } from '../../log.ts';
import type { IngestOptions } from '../options.ts';
import type { CameraWarning, ToHost } from '../protocol/messages.ts';
import type { CameraEvents } from './camera-events.ts';
import {
  type CameraEvent,
  type CameraEventType,
  type CameraLifecycle,
  type Effect,
  ImpossibleEventError,
  newLifecycle,
  type Pause,
  type Phase,
  type StopCause,
  transition,
} from './camera-lifecycle.ts';
import { CameraMonitor } from './camera-monitor.ts';
import { CameraProcess, describeExit } from './camera-process.ts';
import { FrameDelivery } from './frame-delivery.ts';
import type { GovernedCamera } from './governor.ts';
import { RestartPolicy } from './restart-policy.ts';
import type { Load } from './shedding-policy.ts';
import { startSlots } from './start-slots.ts';
import { WARNING_TEXTS } from './status-tracker.ts';
import { CHECK_MS, isWatched, Watchdog } from './watchdog.ts';

export interface SupervisorOptions {
  readonly ingest: IngestOptions;
  readonly detect: DetectOptions;
  /** The program of the camera process. */
  readonly entry?: string;
  /** Where the camera's definition comes from; default: the config file. */
  readonly origin?: CameraOrigin;
  /** What a camera that is not in the config file may use of this machine; default: nothing. */
  readonly allowed?: AllowList;
  /** Last epoch of an earlier camera with this id; new epochs are numbered above it. */
  readonly lastEpoch?: number;
  /** Unix milliseconds, for schedules; `wallMs` by default. */
  readonly now?: () => number;
  /** For tests: throws on an impossible event, which otherwise is logged and ignored. */
  readonly strict?: boolean;
}

const ENTRY = fileURLToPath(new URL('../child/main.ts', import.meta.url));

/**
 * Runs one camera: starts its child process, restarts it with backoff, and publishes its status. The transition table
 * of `camera-lifecycle.ts` decides what each event does; this class executes the effects.
 */
export class CameraSupervisor implements GovernedCamera {
  /**
   * Resolves when a file was played to its end or the camera was stopped. Rejects with an AustreamError when a file
   * cannot be played. Never rejects for a live camera: it is retried forever.
   */
  readonly done: Promise<void>;
  readonly #camera: CameraOptions;
  readonly #options: SupervisorOptions;
  readonly #restartPolicy: RestartPolicy;
  readonly #monitor: CameraMonitor;
  readonly #delivery: FrameDelivery;
  readonly #settled = Promise.withResolvers<void>();
  #lifecycle: CameraLifecycle;
  /** Events that arrive while effects run; each event is processed completely before the next one. */
  readonly #queue: CameraEvent[] = [];
  #dispatching = false;
  #child: CameraProcess | null = null;
  #watchdog: Watchdog;
  #share = 1;
  #lastEpoch: number;
  #checkTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #releaseStartSlot: (() => void) | null = null;
  /** Number of the newest request for a start slot; an older one was abandoned. */
  #slotRequest = 0;
  /** Resolve when the camera is paused or stopped. */
  #pauseWaiters: (() => void)[] = [];
  #redact: (text: string) => string;

  constructor(camera: CameraOptions, options: SupervisorOptions, events: CameraEvents) {
    const live = isLiveSource(camera.url);
    this.#camera = camera;
    this.#options = options;
    this.#lifecycle = newLifecycle(live ? 'live' : 'file');
    this.#lastEpoch = options.lastEpoch ?? (live ? newClaim(null, wallMs(), Math.random()) - 1 : -1);
    this.#redact = cameraRedactor(camera);
    this.#restartPolicy = new RestartPolicy(options.ingest.backoff);
    this.#monitor = new CameraMonitor(camera, options.ingest, (status) => events.status(status));
    this.#delivery = new FrameDelivery(camera.id, live, events);
    this.#watchdog = this.#newWatchdog();
    this.done = this.#settled.promise;
    this.done.catch(() => {});
  }

  /** Process id of the child, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The newest epoch so far. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  get phase(): Phase {
    return this.#lifecycle.phase;
  }

  /** True once a file was played to its end or failed; false if the camera was stopped. */
  get hasEnded(): boolean {
    return this.phase === 'Stopped' && this.#lifecycle.stopCause === null;
  }

  /** Publishes REFUSED; the camera may be started later. */
  refuse(detail: string): void {
    this.#dispatch({ type: 'refused', detail });
  }

  /** `firstEpoch`: its epochs are numbered from this one, or from above the last one. */
  start(firstEpoch = 0): void {
    this.#lastEpoch = Math.max(this.#lastEpoch, firstEpoch - 1);
    this.#dispatch({ type: 'start' });
  }

  /** Resolves when nothing is connected any more; `start` or `refuse` ends the pause. */
  async pause(pause: Pause): Promise<void> {
    this.#dispatch({ type: 'pause', pause });
    if (this.phase === 'Pausing')
      await new Promise<void>((resolve) => {
        this.#pauseWaiters.push(resolve);
      });
  }

  /** Resolves when the child is gone and its last epoch was processed. */
  async stop(cause: StopCause = 'stopped'): Promise<void> {
    this.#dispatch({ type: 'stop', cause });
    await this.done.catch(() => {});
  }

  sampleLoad(now: number): Load | null {
    return this.#monitor.sampleLoad(now, this.pid);
  }

  get coresNeeded(): number | null {
    return this.#monitor.coresNeeded;
  }

  /** Sets the share of frames to analyse, 0…1. */
  throttle(share: number): void {
    this.#share = share;
    if (this.#monitor.setShare(share)) this.#child?.throttle(share);
  }

  #dispatch(event: CameraEvent): void {
    this.#queue.push(event);
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#apply(next);
    } finally {
      this.#dispatching = false;
    }
  }

  #apply(event: CameraEvent): void {
    try {
      const { state, effects } = transition(this.#lifecycle, event);
      this.#lifecycle = state;
      for (const effect of effects) this.#effects[effect](event);
    } catch (error) {
      if (this.#options.strict || !(error instanceof ImpossibleEventError)) throw error;
      log.error({ cameraId: this.#camera.id, reason: error.message }, 'impossible camera event ignored');
    }
    if (this.phase !== 'Pausing') for (const resolve of this.#pauseWaiters.splice(0)) resolve();
  }

  readonly #effects: Readonly<Record<Effect, (event: CameraEvent) => void>> = {
    acquireStartSlot: () => void this.#acquireStartSlot(),
    releaseStartSlot: () => {
      this.#releaseStartSlot?.();
      this.#releaseStartSlot = null;
    },
    abandonStartSlot: () => {
      this.#slotRequest += 1;
    },
    spawnChild: () => this.#spawnChild(),
    stopChild: () => this.#child?.stop(),
    killChild: () => this.#child?.kill(),
    forgetChild: () => {
      this.#child = null;
      clearInterval(this.#checkTimer);
      this.#monitor.childGone();
    },
    noteProgress: () => this.#watchdog.progress(monotonicMs()),
    sendThrottle: () => {
      if (this.#share < 1) this.#child?.throttle(this.#share);
    },
    recordResolved: (event) => this.#monitor.recordResolved(payload(event, 'resolved').detail),
    recordEpoch: (event) => {
      const epochStart = payload(event, 'epoch');
      this.#lastEpoch = epochStart.epoch;
      this.#monitor.recordEpoch(epochStart);
    },
    recordReport: (event) => {
      const report = payload(event, 'report');
      this.#watchdog.report(monotonicMs(), report.decoded, report.rss);
      this.#monitor.recordReport(report);
    },
    resetBackoff: () => this.#restartPolicy.succeeded(),
    scheduleRetry: () => {
      const delayMs = this.#restartPolicy.nextDelay(
        monotonicMs(),
        this.#failure.code === 'CAMERA_UNAUTHORIZED' || this.#failure.code === 'CAMERA_NOT_ALLOWED',
      );
      this.#retryTimer = setTimeout(() => this.#dispatch({ type: 'retryDue' }), delayMs);
    },
    cancelRetry: () => clearTimeout(this.#retryTimer),
    endEpoch: () => void this.#delivery.endEpoch(),
    discardEpoch: () => void this.#delivery.discardEpoch(),
    flushEpoch: () => void this.#delivery.endEpoch().then(() => this.#dispatch({ type: 'flushed' })),
    publishConnecting: () => {
      const url = this.#redact(splitCredentials(this.#camera.url).url);
      this.#monitor.setState('CONNECTING', 'started', `connecting to ${url}`);
    },
    publishRefused: (event) =>
      this.#monitor.setState('REFUSED', 'CAMERA_TOO_MANY', payload(event, 'refused').detail),
    publishStalled: () => this.#monitor.setState('STALLED', this.#failure.code, this.#failure.message),
    publishReconnecting: () => {
      this.#monitor.retrying(this.#failure.code, this.#describeFailure());
    },
    publishPaused: () => {
      const { cause, detail } = this.#lifecycle.pause!;
      this.#monitor.paused(cause, detail);
    },
    publishStopped: () => {
      const { stopCause } = this.#lifecycle;
      this.#monitor.setState('STOPPED', stopCause!, stopCause!);
    },
    publishEnded: () => this.#monitor.setState('STOPPED', 'CAMERA_ENDED', 'played to its end'),
    publishFailed: () => this.#monitor.setState('STOPPED', this.#failure.code, this.#describeFailure()),
    settle: () => this.#settled.resolve(),
    settleWithFailure: () => this.#settled.reject(this.#failure),
  };

  /** Set whenever an effect needs it. */
  get #failure(): AustreamError {
    return this.#lifecycle.failure!;
  }

  /** With the cure, if there is one. */
  #describeFailure(): string {
    const { message, fix } = this.#failure;
    return this.#redact(fix ? `${message} (${fix})` : message);
  }

  async #acquireStartSlot(): Promise<void> {
    this.#slotRequest += 1;
    const request = this.#slotRequest;
    const [, release] = await startSlots.acquire();
    if (request !== this.#slotRequest) {
      release();
      return;
    }
    this.#releaseStartSlot = release;
    this.#dispatch({ type: 'slotGranted' });
  }

  #spawnChild(): void {
    const { ingest, detect, entry, origin = 'config', allowed = NOTHING_ALLOWED } = this.#options;
    try {
      const { camera, addressRules } = resolveCamera(this.#camera, origin, allowed);
      this.#redact = cameraRedactor(camera);
      const child = new CameraProcess(
        { type: 'start', camera, addressRules, ingest, detect, lastEpoch: this.#lastEpoch },
        entry ?? ENTRY,
        {
          message: (message) => {
            // IPC may deliver a message after the child's exit was processed.
            if (child === this.#child) this.#onMessage(message);
          },
          faces: (faces) => this.#onFaces(faces),
          gone: (exit) =>
            this.#dispatch({
              type: 'childGone',
              failure: new AustreamError('CAMERA_PROCESS_DIED', this.#redact(describeExit(exit))),
            }),
        },
      );
      this.#child = child;
      this.#delivery.resume();
    } catch (error) {
      this.#dispatch({ type: 'spawnFailed', failure: error as AustreamError });
      return;
    }
    this.#watchdog = this.#newWatchdog();
    this.#checkTimer = setInterval(() => this.#check(), CHECK_MS);
  }

  #onFaces(faces: FrameFaces): Promise<void> | void {
    if (this.#delivery.isDiscarding) this.#monitor.recordDiscarded(faces);
    else return this.#delivery.deliver(faces, this.#monitor.recordFrame(faces));
  }

  #newWatchdog(): Watchdog {
    return new Watchdog(this.#options.ingest, this.#lifecycle.source === 'live', monotonicMs());
  }

  #onMessage(message: ToHost): void {
    if (message.type === 'warning') this.#warn(message.warning);
    else if (message.type !== 'failed') this.#dispatch(message);
    else {
      const failure = new AustreamError(
        message.code,
        message.message,
        message.fix ? { fix: message.fix } : {},
      );
      this.#dispatch({ type: 'failed', failure });
    }
  }

  /** Logs a warning once; each status of a LIVE camera repeats it. */
  #warn(warning: CameraWarning): void {
    if (this.#monitor.recordWarning(warning))
      log.warn({ cameraId: this.#camera.id }, `camera ${this.#camera.id}: ${WARNING_TEXTS[warning]}`);
  }

  #check(): void {
    if (!isWatched(this.phase)) return;
    const verdict = this.#watchdog.check(monotonicMs(), this.phase);
    if (verdict === null) return;
    const failure = new AustreamError(verdict.code, verdict.message);
    this.#dispatch({ type: verdict.code === 'CAMERA_STALLED' ? 'stalled' : 'unhealthy', failure });
  }
}

/** Narrows the event to the type that triggers the effect. */
function payload<T extends CameraEventType>(event: CameraEvent, type: T): Extract<CameraEvent, { type: T }> {
  if (event.type !== type) throw new TypeError(`the effect needs the event ${type}, not ${event.type}`);
  return event as Extract<CameraEvent, { type: T }>;
}
