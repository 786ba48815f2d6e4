import type { CameraOptions } from '../../camera/options.ts';
import { wallMicros } from '../../clock.ts';
import type { Frame, Micros } from '../../domain/frame.ts';
import type { IngestOptions } from '../options.ts';
import type { ClockReport, EpochCause, ToHost } from '../protocol/messages.ts';
import { type ClockReading, FileClock, type FrameClock } from './clock/frame-clock.ts';
import { LiveClock } from './clock/live-clock.ts';
import { DecoderQueue } from './decoder-queue.ts';
import { Epochs } from './epochs.ts';
import { FormatReader } from './format-reader.ts';
import { FrameCounter } from './frame-counter.ts';
import { parseGdp } from './gdp.ts';
import type { Pipeline, Pulled } from './gstreamer.ts';
import { freeBuffer, viewI420 } from './i420.ts';
import { findCodec, findDepayloader } from './pipeline-elements.ts';
import { RateLimiter } from './rate-limiter.ts';

export type EpochStart = Omit<Extract<ToHost, { type: 'epoch' }>, 'type'>;

interface FrameReaderOptions {
  readonly camera: CameraOptions;
  readonly ingest: IngestOptions;
  /** Epochs are numbered above this one. */
  readonly lastEpoch: number;
  readonly live: boolean;
}

/** Pulls buffers out of a pipeline and makes frames of them: format, capture time, epoch, number; limits their rate. */
export class FrameReader {
  /** Counts of the current epoch. */
  readonly counter = new FrameCounter();
  readonly #pipeline: Pick<Pipeline, 'pull' | 'property' | 'set'>;
  readonly #options: FrameReaderOptions;
  readonly #onEpoch: (epochStart: EpochStart) => void;
  readonly #onEpochEnd: () => void;
  readonly #formats = new FormatReader();
  readonly #clock: FrameClock;
  readonly #epochs: Epochs;
  readonly #limiter: RateLimiter;
  readonly #decoderQueue: DecoderQueue;
  /** Buffers read in all epochs. */
  #buffersRead = 0;

  /** `onEpochEnd` is called before another epoch begins, while `counter` and `clock` belong to the ended one. */
  constructor(
    pipeline: Pick<Pipeline, 'pull' | 'property' | 'set'>,
    options: FrameReaderOptions,
    onEpoch: (epochStart: EpochStart) => void,
    onEpochEnd: () => void = () => {},
  ) {
    this.#pipeline = pipeline;
    this.#options = options;
    this.#onEpoch = onEpoch;
    this.#onEpochEnd = onEpochEnd;
    this.#clock = options.live ? new LiveClock(pipeline, options.ingest) : new FileClock();
    this.#epochs = new Epochs(options.lastEpoch, options.live);
    this.#limiter = new RateLimiter(options.camera.analysisFps, options.ingest.gapSeconds);
    this.#decoderQueue = new DecoderQueue(pipeline);
  }

  /** `zero`: Unix microseconds at running time 0. */
  start(zero: Micros): void {
    this.#clock.start(zero);
  }

  get clock(): ClockReport {
    return this.#clock.report;
  }

  /** True if decoding has been behind the camera by more than `maxAgeSeconds` for several seconds. */
  get lagging(): boolean {
    return this.#clock.lagging;
  }

  /** Share of the frames to analyse from now on, 0…1. */
  throttle(share: number): void {
    this.#limiter.throttle(share);
  }

  /** The next frame to analyse; the caller frees its image (`freeBuffer`). Null at the end of the stream. */
  async next(): Promise<Frame | null> {
    for (;;) {
      const pulled = await this.#pipeline.pull();
      if (pulled === null) return null;
      const frame = this.#toFrame(pulled);
      if (frame !== null) return frame;
      freeBuffer(pulled.bytes);
    }
  }

  /** Null if the buffer is not a frame, or the frame is dropped. */
  #toFrame({ bytes, streamheader }: Pulled): Frame | null {
    const packet = parseGdp(bytes);
    if (packet?.type !== 'buffer') return null;
    this.#buffersRead += 1;
    const receivedAt = wallMicros();
    if (this.#formats.read(streamheader)) this.#epochs.formatChanged();
    const { format } = this.#formats;
    const image = format && viewI420(packet.payload, format);
    if (!image) {
      this.counter.drop('unreadable');
      return null;
    }
    this.#countQueueDrops();
    const reading = this.#clock.read(packet.pts ?? this.#estimatePts(), receivedAt);
    this.#epochs.observeClock(reading);
    const { pendingCause } = this.#epochs;
    if (pendingCause !== null) this.#beginEpoch(pendingCause, reading, receivedAt);
    const frame = this.counter.decoded();
    const captureTime = this.#epochs.advance(reading.captureTime);
    const dropCause = this.#limiter.dropCause(captureTime);
    if (dropCause !== null) {
      this.counter.drop(dropCause);
      return null;
    }
    return {
      cameraId: this.#options.camera.id,
      epoch: this.#epochs.number,
      frame,
      captureTime,
      clockSource: reading.clockSource,
      clockErrorMs: reading.clockSource === 'rtcp' ? this.#clock.report.clockErrorMs : null,
      receivedAt,
      interval: this.#limiter.interval,
      image,
      corrupt: packet.corrupt,
    };
  }

  /** Files wait for the reader: only a live camera's queue drops frames. */
  #countQueueDrops(): void {
    const drops = this.#options.live ? this.#decoderQueue.newDrops(this.#buffersRead) : 0;
    if (drops > 0) this.counter.drop('reader_slow', drops);
  }

  /** Still images, and the frames of a few containers, have no PTS: they are placed at the nominal interval. */
  #estimatePts(): Micros {
    return this.#clock.firstPts + this.counter.counts.decoded * this.#limiter.interval;
  }

  #beginEpoch(cause: EpochCause, { captureTime, clockSource }: ClockReading, receivedAt: Micros): void {
    // A frame that refers to lost packets decodes wrongly: after packet loss, wait for the next keyframe.
    const depayloader = findDepayloader(this.#pipeline);
    if (depayloader !== undefined) this.#pipeline.set(depayloader, 'wait-for-keyframe', true);
    if (cause !== 'first_frame') this.#onEpochEnd();
    const { width, height, fps } = this.#formats.format!;
    this.#epochs.begin();
    this.counter.reset();
    this.#clock.beginEpoch();
    this.#limiter.beginEpoch(fps);
    this.#onEpoch({
      epoch: this.#epochs.number,
      cause,
      width,
      height,
      codec: findCodec(this.#pipeline),
      clockSource,
      captureTime,
      receivedAt,
      clockErrorMs: this.#clock.report.clockErrorMs,
    });
  }
}
