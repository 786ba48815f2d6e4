import type { CameraOptions } from '../../camera/options.ts';
import type { ClockSource, Frame, I420Image, Micros } from '../../domain/frame.ts';
import type { IngestOptions } from '../options.ts';
import type { ClockReport, EpochCause, FrameCounts, ToHost } from '../protocol/messages.ts';
import { minimumShare } from '../protocol/minimum-share.ts';
import { CaptureClock } from './clock/capture-clock.ts';
import { Drift } from './clock/drift.ts';
import { MOST_SESSIONS, parsePacket, parseSessionStats, unixAtZero } from './clock/rtcp.ts';
import { DecoderQueue } from './decoder-queue.ts';
import { FrameDecimator } from './frame-decimator.ts';
import { parseGdp } from './gdp.ts';
import type { Pipeline, Pulled } from './gstreamer.ts';
import { LoadShedder } from './load-shedder.ts';
import { type PictureFormat, parseCaps, release, viewI420 } from './picture.ts';

export type EpochBegin = Omit<Extract<ToHost, { type: 'epoch' }>, 'type'>;

/** How often the camera's clock is read. */
const CLOCK_MS = 200;
/** Frames must be late for so long before the connection is given up: one hiccup is none. */
const LAGGING_MS = 3_000;
/** Times that go back by more within one stream are no jitter: something began anew. */
const BACKWARDS: Micros = 500_000;
/** This host's clock differs from its steady one by more than before: it was set. */
const HOST_STEP_MS = 500;
/** The two can be compared only where they were read at once. */
const AT_ONCE_MS = 10;

/** The depayloaders that decodebin may have made; one pipeline a process, so they bear number 0. */
const CODECS = { h264: 'rtph264depay0', h265: 'rtph265depay0', mjpeg: 'rtpjpegdepay0' } as const;
const PARSERS = { h264: 'h264parse0', h265: 'h265parse0', mjpeg: 'jpegparse0' } as const;

/** Turns what comes out of a pipeline into frames: format, time, epoch, number; thins them to the wanted rate. */
export class FrameReader {
  readonly #pipeline: Pick<Pipeline, 'pull' | 'property' | 'set'>;
  readonly #options: { camera: CameraOptions; ingest: IngestOptions; lastEpoch: number; live: boolean };
  readonly #onEpoch: (begin: EpochBegin) => void;
  readonly #onEpochEnd: () => void;
  #clock = new CaptureClock(0, 0);
  #drift = new Drift();
  #clockReadAt = 0;
  #firstPts: Micros | null = null;
  #capsBytes: Buffer | null = null;
  #format: PictureFormat | null = null;
  #cadence: FrameDecimator | null = null;
  readonly #pace = new LoadShedder();
  #epoch: number;
  #beginCause: EpochCause | null = 'first_frame';
  #clockState = '';
  #lateSince: number | null = null;
  /** This host's clock over its steady one, in milliseconds. */
  #hostClock = 0;
  #lastCapture: Micros = 0;
  #decoded = 0;
  #analysed = 0;
  #drops: Record<string, number> = {};
  readonly #queue = new DecoderQueue();
  /** Of all epochs. */
  #read = 0;

  /** `onEpochEnd`: another epoch begins, and `counts` and `clock` tell of the one before for the last time. */
  constructor(
    pipeline: Pick<Pipeline, 'pull' | 'property' | 'set'>,
    options: { camera: CameraOptions; ingest: IngestOptions; lastEpoch: number; live: boolean },
    onEpoch: (begin: EpochBegin) => void,
    onEpochEnd: () => void = () => {},
  ) {
    this.#pipeline = pipeline;
    this.#options = options;
    this.#onEpoch = onEpoch;
    this.#onEpochEnd = onEpochEnd;
    this.#epoch = options.lastEpoch;
  }

  /** `zero`: Unix microseconds at running time 0. */
  start(zero: Micros): void {
    this.#clock = new CaptureClock(zero, this.#options.ingest.maxClockErrorSeconds * 1_000_000);
    this.#hostClock = Date.now() - performance.now();
  }

  get counts(): FrameCounts {
    return { decoded: this.#decoded, analysed: this.#analysed, drops: { ...this.#drops } };
  }

  pace(share: number): void {
    this.#pace.share = share;
  }

  get clock(): ClockReport {
    const { ppm } = this.#drift;
    return { clockErrorMs: this.#clockErrorMs, driftPpm: ppm === null ? null : Math.round(ppm * 10) / 10 };
  }

  get #clockErrorMs(): number | null {
    return this.#clock.error === null ? null : Math.round(this.#clock.error / 1000);
  }

  analysed(): void {
    this.#analysed += 1;
  }

  drop(cause: string, frames = 1): void {
    this.#drops[cause] = (this.#drops[cause] ?? 0) + frames;
  }

  /** True where decoding has been behind the camera by more than the allowed age for a while. */
  get lagging(): boolean {
    return this.#lateSince !== null && performance.now() - this.#lateSince > LAGGING_MS;
  }

  /** The next frame to analyse, to be released after; null at the end. */
  async next(): Promise<Frame | null> {
    for (;;) {
      const pulled = await this.#pipeline.pull();
      if (pulled === null) return null;
      const frame = this.#frame(pulled);
      if (frame !== null) return frame;
      release(pulled.bytes);
    }
  }

  #frame(pulled: Pulled): Frame | null {
    const packet = parseGdp(pulled.bytes);
    if (packet?.type !== 'buffer') return null;
    this.#read += 1;
    const receivedAt = Date.now() * 1000;
    this.#readFormat(pulled.streamheader);
    const image = this.#format && viewI420(packet.payload, this.#format);
    if (!image) {
      this.drop('unreadable');
      return null;
    }
    const pts = packet.pts ?? this.#guessPts();
    const { captureTime, clockSource } = this.#time(pts, receivedAt);
    if (this.#beginCause !== null) this.#begin(this.#beginCause, captureTime, clockSource, receivedAt);
    const frame = this.#decoded++;
    const monotonic = frame === 0 ? captureTime : Math.max(captureTime, this.#lastCapture + 1);
    this.#lastCapture = monotonic;
    if (!this.#cadence!.admit(monotonic)) {
      this.drop('analysis_fps');
      return null;
    }
    if (!this.#pace.admit(minimumShare(this.#cadence!.interval, this.#options.ingest.gapSeconds))) {
      this.drop('overload');
      return null;
    }
    return {
      cameraId: this.#options.camera.id,
      epoch: this.#epoch,
      frame,
      captureTime: monotonic,
      clockSource,
      clockErrorMs: clockSource === 'rtcp' ? this.#clockErrorMs : null,
      receivedAt,
      interval: this.#cadence!.interval,
      image: image as I420Image,
      corrupt: packet.corrupt,
    };
  }

  /** Formats come with every buffer, in its caps' streamheader: a packet of their own could be dropped. */
  #readFormat(streamheader: readonly Buffer[]): void {
    for (const bytes of streamheader) {
      if (this.#capsBytes?.equals(bytes)) return;
      const packet = parseGdp(bytes);
      const format = packet?.type === 'caps' ? parseCaps(packet.caps) : null;
      if (format === null) continue;
      if (this.#format !== null && !samePicture(this.#format, format)) this.#beginCause ??= 'format_changed';
      this.#capsBytes = Buffer.from(bytes);
      this.#format = format;
      return;
    }
  }

  #time(pts: Micros, receivedAt: Micros): { captureTime: Micros; clockSource: ClockSource } {
    if (!this.#options.live) {
      this.#firstPts ??= pts;
      return { captureTime: pts - this.#firstPts, clockSource: 'file' };
    }
    const hostSet = this.#followHost();
    this.#clock.delivered(pts, receivedAt);
    const late = this.#clock.lag(pts, receivedAt) > this.#options.ingest.maxAgeSeconds * 1_000_000;
    this.#lateSince = late ? (this.#lateSince ?? performance.now()) : null;
    this.#readClock();
    const { source, generation } = this.#clock;
    const state = `${source}/${source === 'rtcp' ? generation : 0}`;
    if (this.#clockState !== '' && state !== this.#clockState)
      this.#beginCause ??= this.#clockState.startsWith(source) ? 'clock_stepped' : 'clock_source_changed';
    if (hostSet && source === 'arrival') this.#beginCause ??= 'clock_stepped';
    this.#clockState = state;
    const time = this.#clock.at(pts);
    if (this.#decoded > 0 && time.captureTime < this.#lastCapture - BACKWARDS)
      this.#beginCause ??= 'clock_stepped';
    return time;
  }

  /** Arrival times follow this host's clock where it was set; true where it was. */
  #followHost(): boolean {
    const steady = performance.now();
    const hostClock = Date.now() - steady;
    if (performance.now() - steady > AT_ONCE_MS) return false;
    const step = hostClock - this.#hostClock;
    this.#hostClock = hostClock;
    if (Math.abs(step) < HOST_STEP_MS) return false;
    this.#clock.hostSet(step * 1000);
    this.#drift = new Drift();
    return true;
  }

  #readClock(): void {
    const now = performance.now();
    if (now - this.#clockReadAt < CLOCK_MS) return;
    this.#clockReadAt = now;
    const lost = this.#queue.lost(this.#pipeline.property('decoded', 'stats'), this.#read);
    if (lost > 0) this.drop('reader_slow', lost);
    this.#drift.add(now * 1000, this.#clock.ahead);
    if (this.#options.ingest.maxClockErrorSeconds === 0) return;
    const text = (element: string, property: string) =>
      String(this.#pipeline.property(element, property) ?? '');
    const depay = this.#depayloader();
    if (depay === undefined) return;
    const before = text('tap', 'last-message');
    const packet = parsePacket(before, text(depay, 'stats'), text('tap', 'last-message'));
    for (let session = 0; packet !== null && session < MOST_SESSIONS; session++) {
      const stats = this.#pipeline.property(`rtpsession${session}`, 'stats');
      if (typeof stats !== 'string') return;
      const zero = unixAtZero(packet, parseSessionStats(stats));
      if (zero !== null) {
        this.#clock.sample(zero);
        return;
      }
    }
  }

  #depayloader(): string | undefined {
    return Object.values(CODECS).find((name) => this.#pipeline.property(name, 'name'));
  }

  #begin(cause: EpochCause, captureTime: Micros, clockSource: ClockSource, receivedAt: Micros): void {
    this.#beginCause = null;
    // A picture that refers to lost packets shows what is not there: nothing comes until the next keyframe.
    const depay = this.#depayloader();
    if (depay !== undefined) this.#pipeline.set(depay, 'wait-for-keyframe', true);
    if (cause !== 'first_frame') this.#onEpochEnd();
    this.#epoch = this.#options.live ? Math.max(Date.now(), this.#epoch + 1) : this.#epoch + 1;
    this.#decoded = 0;
    this.#analysed = 0;
    this.#drops = {};
    this.#drift = new Drift();
    this.#cadence = new FrameDecimator(this.#options.camera.analysisFps, this.#format!.fps);
    const { width, height } = this.#format!;
    const codec =
      [...Object.entries(CODECS), ...Object.entries(PARSERS)].find(([, name]) =>
        this.#pipeline.property(name, 'name'),
      )?.[0] ?? null;
    const clockErrorMs = this.#clockErrorMs;
    this.#onEpoch({
      epoch: this.#epoch,
      cause,
      width,
      height,
      codec,
      clockSource,
      captureTime,
      receivedAt,
      clockErrorMs,
    });
  }

  /** Still images have no time; neither have the frames of a few odd containers. */
  #guessPts(): Micros {
    return this.#decoded * (this.#cadence?.interval ?? 0) + (this.#firstPts ?? 0);
  }
}

function samePicture(a: PictureFormat, b: PictureFormat): boolean {
  return a.width === b.width && a.height === b.height && a.matrix === b.matrix && a.fullRange === b.fullRange;
}
