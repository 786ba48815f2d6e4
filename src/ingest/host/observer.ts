import type { CameraOptions } from '../../camera/options.ts';
import { isLive } from '../../camera/source-url.ts';
import type { CameraStatus } from '../../domain/camera-status.ts';
import type { FrameFaces } from '../../domain/face.ts';
import type { Micros } from '../../domain/frame.ts';
import type { IngestOptions } from '../options.ts';
import type { FrameCounts, ToHost } from '../protocol/messages.ts';
import { minimumShare } from '../protocol/minimum-share.ts';
import { GapFinder } from './gaps.ts';
import { LoadMeter } from './load-meter.ts';
import type { Load } from './shedding.ts';
import { describePicture, StatusKeeper } from './status.ts';

/** How a camera begins, with a picture to search for the first time, says nothing of how it goes on. */
const SETTLING_MS = 10_000;

/** Watches what one camera's processes say and give, and tells the world: states, gaps, rates, load. */
export class CameraObserver {
  readonly #options: IngestOptions;
  readonly #tell: (status: CameraStatus) => void;
  readonly #live: boolean;
  readonly #status: StatusKeeper;
  readonly #gaps: GapFinder;
  readonly #meter = new LoadMeter();
  /** As of the newest report, and those that were lost here. */
  #drops: FrameCounts['drops'] = {};
  #tooOld = 0;
  #share = 1;
  #interval: Micros;
  /** The process that runs now has begun an epoch; until then its counts are of none. */
  #begun = false;
  /** How the source was found; empty where nobody had to be asked. */
  #found = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(camera: CameraOptions, options: IngestOptions, tell: (status: CameraStatus) => void) {
    this.#options = options;
    this.#tell = tell;
    this.#live = isLive(camera.url);
    this.#interval = 1_000_000 / camera.analysisFps;
    this.#status = new StatusKeeper(camera.id, camera.analysisFps);
    this.#gaps = new GapFinder(options.gapSeconds);
  }

  /** Tells of the state where it is another one, and from then on again and again until it is STOPPED. */
  enter(state: CameraStatus['state'], cause: string, detail: string): void {
    if (state === 'STOPPED') clearInterval(this.#timer);
    else this.#timer ??= setInterval(() => this.#repeat(), this.#options.statusSeconds * 1000);
    if (this.#status.enter(state, cause, detail)) this.#tell(this.#status.status());
  }

  /** The device told which stream to take. */
  resolved(detail: string): void {
    this.#found = `; ${detail}`;
  }

  epoch(begin: Extract<ToHost, { type: 'epoch' }>): void {
    // What the epoch before lost is told once more: a few frames may have come to it since.
    this.#epochOver();
    if (this.#status.state === 'LIVE') this.#tell(this.#status.status());
    this.#begun = true;
    this.#status.picture(begin);
    this.enter('LIVE', begin.cause, `${describePicture(begin)}${this.#found}`);
  }

  report(report: Extract<ToHost, { type: 'report' }>): void {
    this.#drops = report.drops;
    this.#countDrops();
    if (this.#status.state === 'LIVE') this.#status.clock(report);
    this.#meter.report({ ...report, drops: this.#allDrops });
  }

  /** Takes note of a frame; false where it is too old to be of use. */
  frame(faces: FrameFaces): boolean {
    this.#status.frame(faces);
    this.#interval = faces.interval;
    this.#status.pace(this.#effectiveShare);
    if (!this.#live) return true;
    const ageMs = Date.now() - faces.receivedAt / 1000;
    this.#meter.frame(ageMs);
    const gap = this.#gaps.next(faces);
    if (gap) this.#tell(this.#status.status(gap));
    if (ageMs <= this.#options.maxAgeSeconds * 1000) return true;
    this.#tooOld += 1;
    return false;
  }

  /** Its process is gone. */
  gone(): void {
    this.#epochOver();
    this.#begun = false;
    this.#meter.interrupted();
  }

  /** It will be tried again after this failure. */
  failed(cause: string, detail: string): void {
    this.#gaps.interrupted(cause);
    this.#status.restarted();
    this.enter('RECONNECTING', cause, detail);
  }

  /** From now on this part of the frames is analysed, 0…1, or more where it would leave holes. True where that changed. */
  pace(share: number): boolean {
    const changed = share !== this.#share;
    this.#share = share;
    if (this.#status.pace(this.#effectiveShare)) this.#tell(this.#status.status());
    return changed;
  }

  get #effectiveShare(): number {
    return Math.max(this.#share, minimumShare(this.#interval, this.#options.gapSeconds));
  }

  /** The load since the last call; null while the camera gives no frames, or has only begun to. */
  takeLoad(now: number, pid: number | undefined): Load | null {
    const settled = this.#status.state === 'LIVE' && this.#status.lasted >= SETTLING_MS;
    const load = this.#meter.take(now, settled ? pid : undefined);
    return settled ? load : null;
  }

  /** Cores that it would need for every frame due; null until that was measured. */
  get coresNeeded(): number | null {
    return this.#meter.cores;
  }

  get #allDrops(): FrameCounts['drops'] {
    return this.#tooOld > 0 ? { ...this.#drops, too_old: this.#tooOld } : this.#drops;
  }

  #epochOver(): void {
    this.#countDrops();
    [this.#drops, this.#tooOld] = [{}, 0];
  }

  #countDrops(): void {
    if (this.#begun) this.#status.drops(this.#allDrops);
  }

  #repeat(): void {
    this.#status.count();
    this.#tell(this.#status.status());
  }
}
