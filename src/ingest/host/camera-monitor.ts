import type { CameraOptions } from '../../camera/options.ts';
import { isLiveSource } from '../../camera/source-url.ts';
import { ageMs } from '../../clock.ts';
import type { CameraStatus } from '../../domain/camera-status.ts';
import type { FrameFaces } from '../../domain/face.ts';
import type { Micros } from '../../domain/frame.ts';
import type { IngestOptions } from '../options.ts';
import type { CameraWarning, FrameCounts, ToHost } from '../protocol/messages.ts';
import { minimumShare } from '../protocol/minimum-share.ts';
import { GapDetector } from './gap-detector.ts';
import { LoadMeter } from './load-meter.ts';
import type { Load } from './shedding-policy.ts';
import { describeVideo, StatusTracker, WARNING_TEXTS } from './status-tracker.ts';

/** The load right after a start, with its first full-frame scans, is not representative. */
const SETTLING_MS = 10_000;

/** Turns one camera's messages and frames into published CameraStatus, gaps, rates and load. */
export class CameraMonitor {
  readonly #options: IngestOptions;
  readonly #publish: (status: CameraStatus) => void;
  readonly #live: boolean;
  readonly #status: StatusTracker;
  readonly #gaps: GapDetector;
  readonly #loadMeter = new LoadMeter();
  /** Drops of the current epoch, as of the newest report. */
  #drops: FrameCounts['drops'] = {};
  /** Frames of the current epoch that were too old when they reached the host. */
  #tooOld = 0;
  /** Crops of the current epoch that arrived after the camera was asked to pause. */
  #discarded = 0;
  #share = 1;
  /** Frame interval. */
  #interval: Micros;
  /** The current child has begun an epoch; before that its counts belong to none. */
  #epochBegun = false;
  /** Suffix of the LIVE detail: the stream that an ONVIF device returned. */
  #streamDetail = '';
  readonly #warnings = new Set<CameraWarning>();
  #repeatTimer: NodeJS.Timeout | undefined;

  constructor(camera: CameraOptions, options: IngestOptions, publish: (status: CameraStatus) => void) {
    this.#options = options;
    this.#publish = publish;
    this.#live = isLiveSource(camera.url);
    this.#interval = 1_000_000 / camera.analysisFps;
    this.#status = new StatusTracker(camera.id, camera.analysisFps);
    this.#gaps = new GapDetector(options.gapSeconds);
  }

  /** Publishes the status if state or cause changed, and repeats it every `statusSeconds` until STOPPED. */
  setState(state: CameraStatus['state'], cause: string, detail: string): void {
    if (state === 'STOPPED') clearInterval(this.#repeatTimer);
    else this.#repeatTimer ??= setInterval(() => this.#repeatStatus(), this.#options.statusSeconds * 1000);
    if (this.#status.setState(state, cause, detail)) this.#publish(this.#status.status());
  }

  /** An ONVIF device returned its stream. */
  recordResolved(detail: string): void {
    this.#streamDetail = `; ${detail}`;
  }

  /** False if the warning is known. */
  recordWarning(warning: CameraWarning): boolean {
    const isNew = !this.#warnings.has(warning);
    this.#warnings.add(warning);
    return isNew;
  }

  recordEpoch(epochStart: Extract<ToHost, { type: 'epoch' }>): void {
    // Publishes the final drops of the previous epoch: frames may have been dropped since its last status.
    this.#closeEpoch();
    if (this.#status.state === 'LIVE') this.#publish(this.#status.status());
    this.#epochBegun = true;
    this.#status.beginEpoch(epochStart);
    this.setState(
      'LIVE',
      epochStart.cause,
      [
        `${describeVideo(epochStart)}${this.#streamDetail}`,
        ...[...this.#warnings].map((warning) => WARNING_TEXTS[warning]),
      ].join('; '),
    );
  }

  recordReport(report: Extract<ToHost, { type: 'report' }>): void {
    this.#drops = report.drops;
    this.#recordDrops();
    if (this.#status.state === 'LIVE') this.#status.setClock(report);
    this.#loadMeter.report({ ...report, drops: this.#allDrops });
  }

  /** Records a frame. False if it is older than `maxAgeSeconds`: its crops are to be dropped. */
  recordFrame(faces: FrameFaces): boolean {
    const age = ageMs(faces.receivedAt);
    this.#status.recordFrame(faces, age);
    this.#interval = faces.interval;
    this.#status.setShare(this.#effectiveShare);
    if (!this.#live) return true;
    this.#loadMeter.frame(age);
    const gap = this.#gaps.next(faces);
    if (gap) this.#publish(this.#status.status(gap));
    if (age <= this.#options.maxAgeSeconds * 1000) return true;
    this.#tooOld += 1;
    return false;
  }

  /** The child process is gone. */
  childGone(): void {
    this.#closeEpoch();
    this.#epochBegun = false;
    this.#loadMeter.reset();
  }

  /** The camera is retried after this failure. */
  retrying(cause: string, detail: string): void {
    this.#gaps.interrupted(cause);
    this.#status.countRestart();
    this.setState('RECONNECTING', cause, detail);
  }

  /** Nothing is connected any more. */
  paused(cause: string, detail: string): void {
    this.#gaps.interrupted('paused');
    this.setState('PAUSED', cause, detail);
  }

  /** A frame arrived after the camera was asked to pause; its crops are dropped. */
  recordDiscarded(faces: FrameFaces): void {
    this.#discarded += faces.crops.length;
  }

  /** Sets the share of frames to analyse, 0…1; at least the minimum share of tracking is used. True if it changed. */
  setShare(share: number): boolean {
    const changed = share !== this.#share;
    this.#share = share;
    if (this.#status.setShare(this.#effectiveShare)) this.#publish(this.#status.status());
    return changed;
  }

  get #effectiveShare(): number {
    return Math.max(this.#share, minimumShare(this.#interval, this.#options.gapSeconds));
  }

  /** The load since the last call; null unless the camera has been LIVE for `SETTLING_MS`. */
  sampleLoad(now: number, pid: number | undefined): Load | null {
    const settled = this.#status.state === 'LIVE' && this.#status.stateAgeMs >= SETTLING_MS;
    const load = this.#loadMeter.sample(now, settled ? pid : undefined);
    return settled ? load : null;
  }

  /** Cores to analyse every due frame; null until measured. */
  get coresNeeded(): number | null {
    return this.#loadMeter.coresNeeded;
  }

  get #allDrops(): FrameCounts['drops'] {
    return {
      ...this.#drops,
      ...(this.#tooOld > 0 ? { too_old: this.#tooOld } : {}),
      ...(this.#discarded > 0 ? { paused: this.#discarded } : {}),
    };
  }

  #closeEpoch(): void {
    this.#recordDrops();
    [this.#drops, this.#tooOld, this.#discarded] = [{}, 0, 0];
  }

  #recordDrops(): void {
    if (this.#epochBegun) this.#status.setDrops(this.#allDrops);
  }

  #repeatStatus(): void {
    this.#status.measureRate();
    this.#publish(this.#status.status());
  }
}
