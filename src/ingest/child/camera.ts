import type { CameraOptions } from '../../camera/options.ts';
import { nowMicros } from '../../diagnostics.ts';
import type { FrameFaces } from '../../domain/face.ts';
import type { Frame } from '../../domain/frame.ts';
import { AustreamError } from '../../errors.ts';
import type { IngestOptions } from '../options.ts';
import type { ClockReport, FrameCounts } from '../protocol/messages.ts';
import { type EpochBegin, FrameReader } from './frame-reader.ts';
import { type BusMessage, Pipeline } from './gstreamer.ts';
import { release } from './picture.ts';
import { sourceLaunch } from './source.ts';
import { streamError } from './stream-error.ts';

/** What a camera needs of `detect/finder.ts`. */
export interface Finder {
  analyse(frame: Frame): Promise<FrameFaces>;
  end(): number[];
  close(): Promise<void>;
}

export interface CameraOutput {
  /** The camera agreed to play; its first picture may still take a while. */
  connected(): void;
  epoch(begin: EpochBegin): void;
  /** Another epoch begins; `counts` and `clock` tell of the one before for the last time. */
  epochEnds(): void;
  /** A live camera does not wait for the promise. */
  faces(faces: FrameFaces): void | Promise<void>;
}

const KEPT_MESSAGES = 30;
/** After an error of a file, what was decoded before still comes; this long after the last of it, nothing will. */
const DRAIN_MS = 2_000;
/** A file is at hand: a decoder that gives nothing of it for so long hangs (GStreamer 1.22 at the end of a GIF). */
const FILE_HANG_MS = 30_000;

/** One run of one camera inside its child process: pipeline → frames → finder → output. */
export class Camera {
  readonly #pipeline: Pipeline;
  readonly #reader: FrameReader;
  readonly #finder: Finder;
  readonly #output: CameraOutput;
  readonly #live: boolean;
  readonly #url: string;
  readonly #messages: BusMessage[] = [];
  readonly #busEnd = Promise.withResolvers<void>();
  #newest: Frame | null = null;
  #analysing: Promise<void> | null = null;
  #analysedEpoch: number | null = null;
  #stopped = false;

  /** Throws CAMERA_NOT_FOUND where a file is not there. */
  constructor(
    options: { camera: CameraOptions; ingest: IngestOptions; lastEpoch: number; proxy?: string | undefined },
    finder: Finder,
    output: CameraOutput,
  ) {
    const { launch, properties, live } = sourceLaunch(options.camera, options.proxy);
    this.#pipeline = new Pipeline(launch, properties);
    this.#reader = new FrameReader(
      this.#pipeline,
      { ...options, live },
      (begin) => output.epoch(begin),
      () => output.epochEnds(),
    );
    this.#finder = finder;
    this.#output = output;
    this.#live = live;
    this.#url = options.camera.url;
  }

  get counts(): FrameCounts {
    return this.#reader.counts;
  }

  get clock(): ClockReport {
    return this.#reader.clock;
  }

  /** Analyses this part of the frames from now on, 0…1. */
  pace(share: number): void {
    this.#reader.pace(share);
  }

  /** A frame that was analysed and then lost on its way. */
  lost(cause: string): void {
    this.#reader.drop(cause);
  }

  /** Runs until the source ends (`null`), fails (the error, not yet redacted), or is stopped (`null`). */
  async run(): Promise<AustreamError | null> {
    this.#pipeline.onMessage((message) => this.#onMessage(message));
    this.#reader.start(this.#pipeline.play());
    for (;;) {
      const frame = await this.#next();
      if (frame === null) break;
      if (this.#reader.lagging) return this.#giveUp();
      if (this.#live) this.#offer(frame);
      else await this.#analyse(frame);
    }
    await this.#analysing;
    if (this.#stopped) return null;
    await Promise.race([this.#busEnd.promise, delay(DRAIN_MS)]);
    this.#pipeline.stop();
    const failed = this.#messages.some((message) => message.type === 'error');
    return failed || this.#live || this.#analysedEpoch === null
      ? streamError(this.#messages, this.#url)
      : null;
  }

  #giveUp(): AustreamError {
    this.#pipeline.stop();
    return new AustreamError('CAMERA_LAGGING', 'decoding does not keep up with the camera', {
      fix: 'lower the camera’s resolution or rate, use a hardware decoder, or watch fewer cameras on this machine',
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#pipeline.stop();
  }

  /** Newest wins: whatever the analysis has not begun with when the next frame comes is dropped and counted. */
  #offer(frame: Frame): void {
    if (this.#newest !== null) {
      this.#reader.drop('analysis_slow');
      release(this.#newest.image.y);
    }
    this.#newest = frame;
    this.#analysing ??= this.#analyseNewest().finally(() => {
      this.#analysing = null;
    });
  }

  async #analyseNewest(): Promise<void> {
    while (this.#newest !== null && !this.#stopped) {
      const frame = this.#newest;
      this.#newest = null;
      await this.#analyse(frame);
    }
  }

  async #analyse(frame: Frame): Promise<void> {
    if (this.#analysedEpoch !== null && this.#analysedEpoch !== frame.epoch) this.#finder.end();
    this.#analysedEpoch = frame.epoch;
    const from = nowMicros();
    const faces = await this.#finder.analyse(frame);
    release(frame.image.y);
    this.#reader.analysed();
    const sent = this.#output.faces({ ...faces, analysed: { from, to: nowMicros() } });
    if (!this.#live) await sent;
  }

  #onMessage(message: BusMessage): void {
    const { type } = message;
    if (type === 'GST_PROGRESS_TYPE_COMPLETE' && message.code === 'request') this.#output.connected();
    if (type === 'error' || type === 'warning') {
      this.#messages.push(message);
      if (this.#messages.length > KEPT_MESSAGES) this.#messages.shift();
    }
    if (type !== 'error' && type !== 'eos') return;
    this.#busEnd.resolve();
    // Not every error reaches the sink, and the sink is where the next frame is waited for.
    if (type === 'error')
      setTimeout(() => this.#pipeline.stop(), this.#live || this.#analysedEpoch === null ? 0 : DRAIN_MS);
  }

  async #next(): Promise<Frame | null> {
    const timer = this.#live ? undefined : setTimeout(() => this.#hangs(), FILE_HANG_MS);
    const frame = await this.#reader.next();
    clearTimeout(timer);
    return frame;
  }

  #hangs(): void {
    this.#onMessage({ type: 'error', debug: 'the decoder gives no more frames, and no end either' });
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
