import { setTimeout as delay } from 'node:timers/promises';
import type { CameraOptions } from '../../camera/options.ts';
import { measureSpan } from '../../clock.ts';
import type { FrameFaces } from '../../domain/face.ts';
import type { Frame } from '../../domain/frame.ts';
import { AustreamError } from '../../errors.ts';
import type { IngestOptions } from '../options.ts';
import type { ClockReport, DropCause, FrameCounts } from '../protocol/messages.ts';
import { type EpochStart, FrameReader } from './frame-reader.ts';
import { type BusMessage, Pipeline } from './gstreamer.ts';
import { freeBuffer } from './i420.ts';
import type { RtspProxy } from './rtsp/proxy.ts';
import { sourceLaunch } from './source.ts';
import { streamError } from './stream-error.ts';

/** The part of `FaceFinder` (`detect/finder.ts`) that a camera uses. */
export interface Finder {
  analyse(frame: Frame): Promise<FrameFaces>;
  /** Ends every track; returns their ids. */
  end(): number[];
}

interface CameraOutput {
  /** The camera accepted PLAY; its first frame may still take a while. */
  connected(): void;
  epoch(epochStart: EpochStart): void;
  /** The current epoch ends, and another one follows. `counts` and `clock` still belong to the ended one. */
  epochEnds(): void;
  /** A live camera does not wait for the promise; a file does. */
  faces(faces: FrameFaces): void | Promise<void>;
}

/** Newest errors and warnings kept to explain a failure. */
const MAX_MESSAGES = 30;
/** After a file's error, frames that were decoded before it still arrive: the pipeline is stopped this much later. */
const DRAIN_MS = 2_000;
/** A file's decoder without output for this long hangs (GStreamer 1.22 does at the end of a GIF). */
const FILE_HANG_MS = 30_000;

/** One run of one camera inside its child process: pipeline → frames → finder → output. */
export class Camera {
  readonly #pipeline: Pipeline;
  readonly #reader: FrameReader;
  readonly #finder: Finder;
  readonly #output: CameraOutput;
  readonly #live: boolean;
  readonly #url: string;
  /** The last errors and warnings of the bus, oldest first. */
  readonly #messages: BusMessage[] = [];
  /** Resolves at the bus's end-of-stream or error. */
  readonly #busEnd = Promise.withResolvers<void>();
  /** The frame to analyse next; live cameras only. */
  #newest: Frame | null = null;
  #analysing: Promise<void> | null = null;
  #analysedEpoch: number | null = null;
  #stopped = false;

  /** Throws CAMERA_NOT_FOUND for a missing file, CAMERA_UNREACHABLE for a missing device. */
  constructor(
    options: { camera: CameraOptions; ingest: IngestOptions; lastEpoch: number; proxy: RtspProxy | null },
    finder: Finder,
    output: CameraOutput,
  ) {
    const { launch, properties, live } = sourceLaunch(options.camera, options.proxy);
    this.#pipeline = new Pipeline(launch, properties);
    this.#reader = new FrameReader(
      this.#pipeline,
      { ...options, live },
      (epochStart) => output.epoch(epochStart),
      () => output.epochEnds(),
    );
    this.#finder = finder;
    this.#output = output;
    this.#live = live;
    this.#url = options.camera.url;
  }

  get counts(): FrameCounts {
    return this.#reader.counter.counts;
  }

  get clock(): ClockReport {
    return this.#reader.clock;
  }

  /** Share of the frames to analyse from now on, 0…1. */
  throttle(share: number): void {
    this.#reader.throttle(share);
  }

  /** Counts an analysed frame that was not delivered to the host. */
  drop(cause: DropCause): void {
    this.#reader.counter.drop(cause);
  }

  /** Runs until the source ends (`null`), fails (the error, not yet redacted), or is stopped (`null`). */
  async run(): Promise<AustreamError | null> {
    this.#pipeline.onMessage((message) => this.#onMessage(message));
    this.#reader.start(this.#pipeline.play());
    for (;;) {
      const frame = await this.#next();
      if (frame === null) break;
      if (this.#reader.lagging) return this.#failLagging();
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

  stop(): void {
    this.#stopped = true;
    this.#pipeline.stop();
  }

  #failLagging(): AustreamError {
    this.#pipeline.stop();
    return new AustreamError('CAMERA_LAGGING', 'decoding does not keep up with the camera', {
      fix: 'lower the camera’s resolution or frame rate, use a hardware decoder, or watch fewer cameras on this machine',
    });
  }

  /** Newest wins: a frame that still waits for analysis when the next one arrives is dropped and counted. */
  #offer(frame: Frame): void {
    if (this.#newest !== null) {
      this.#reader.counter.drop('analysis_slow');
      freeBuffer(this.#newest.image.y);
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
    const span = measureSpan();
    const faces = await this.#finder.analyse(frame);
    freeBuffer(frame.image.y);
    this.#reader.counter.analysed();
    if (faces.masked) this.#reader.counter.drop('masked', faces.masked);
    const sent = this.#output.faces({ ...faces, analysed: span() });
    if (!this.#live) await sent;
  }

  #onMessage(message: BusMessage): void {
    const { type } = message;
    if (type === 'GST_PROGRESS_TYPE_COMPLETE' && message.code === 'request') this.#output.connected();
    if (type === 'error' || type === 'warning') {
      this.#messages.push(message);
      if (this.#messages.length > MAX_MESSAGES) this.#messages.shift();
    }
    if (type !== 'error' && type !== 'eos') return;
    this.#busEnd.resolve();
    // Stopping ends the wait for the next frame: not every error reaches the sink.
    if (type === 'error')
      setTimeout(() => this.#pipeline.stop(), this.#live || this.#analysedEpoch === null ? 0 : DRAIN_MS);
  }

  async #next(): Promise<Frame | null> {
    const timer = this.#live ? undefined : setTimeout(() => this.#onHang(), FILE_HANG_MS);
    const frame = await this.#reader.next();
    clearTimeout(timer);
    return frame;
  }

  #onHang(): void {
    this.#onMessage({
      type: 'error',
      debug: 'the decoder hangs: it returns neither a frame nor the end of the stream',
    });
  }
}
