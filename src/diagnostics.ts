import { type Channel, channel } from 'node:diagnostics_channel';
import type { CameraStatus } from './domain/camera-status.ts';
import type { AuFrame } from './domain/event.ts';
import type { FaceStamp, FrameFaces } from './domain/face.ts';
import type { Micros } from './domain/frame.ts';

/** A moment on the host's clock, finer than Date.now(). */
export function nowMicros(): Micros {
  return Math.round((performance.timeOrigin + performance.now()) * 1_000);
}

/** A typed diagnostics channel: publishing costs one check while nobody listens. */
export class DiagnosticsChannel<T extends object> {
  readonly #channel: Channel;

  constructor(name: string) {
    this.#channel = channel(name);
  }

  /** Whether anybody listens: what costs something to say is not worth saying otherwise. */
  get hasSubscribers(): boolean {
    return this.#channel.hasSubscribers;
  }

  publish(message: T): void {
    this.#channel.publish(message);
  }

  /** Gives back what ends the subscription. */
  subscribe(listener: (message: T) => void): () => void {
    const hear = (message: unknown) => listener(message as T);
    this.#channel.subscribe(hear);
    return () => this.#channel.unsubscribe(hear);
  }
}

/** How full the queues of a process are, and whether it reaches Kafka, for whoever asks. */
export interface ProcessGauges {
  /** Crops that wait for the model, where there is one. */
  readonly queuedCrops?: number;
  readonly publisher: {
    readonly connected: boolean;
    /** What was handed over and no broker has acknowledged yet. */
    readonly pending: number;
    /** Bytes on disk, where events can wait there. */
    readonly spoolBytes?: number;
  };
}

/** When a piece of work began and ended. */
export interface TimeSpan {
  readonly from: Micros;
  readonly to: Micros;
}

/**
 * What the stages say about themselves, to whoever listens (`node:diagnostics_channel`, so that an APM agent can,
 * too). They know nothing of the listener; `telemetry.ts` makes metrics and traces of it.
 */
export const diagnostics = {
  /** The host has one analysed frame of a camera with its crops. */
  frame: new DiagnosticsChannel<{
    readonly faces: FrameFaces;
    readonly at: Micros;
    /** Another process scores them. */
    readonly scoredElsewhere?: boolean;
  }>('austream:ingest:frame'),
  status: new DiagnosticsChannel<CameraStatus>('austream:ingest:status'),
  /** The frame encoder has run over a batch of crops. */
  encoded: new DiagnosticsChannel<
    TimeSpan & { readonly faces: readonly FaceStamp[]; readonly longestWaitMs: number }
  >('austream:infer:encoded'),
  /** The window encoders have run over windows, whose newest frames are `faces`. */
  scored: new DiagnosticsChannel<
    TimeSpan & { readonly faces: readonly FaceStamp[]; readonly windows: number }
  >('austream:infer:scored'),
  /** Frames were handed to the publisher. */
  published: new DiagnosticsChannel<{ readonly frames: readonly AuFrame[]; readonly at: Micros }>(
    'austream:publish:handed',
  ),
  /** The broker has a frame. */
  acknowledged: new DiagnosticsChannel<{ readonly frame: Omit<AuFrame, 'interval'>; readonly at: Micros }>(
    'austream:publish:acknowledged',
  ),
  /** Lost for good, after the camera: crops or events. */
  lost: new DiagnosticsChannel<{ readonly cameraId: string; readonly count: number; readonly cause: string }>(
    'austream:lost',
  ),
  /** An inference worker had no need of these crops: they came again, or from an epoch that is over. */
  skipped: new DiagnosticsChannel<{
    readonly cameraId: string;
    readonly count: number;
    readonly cause: 'late' | 'old_epoch';
  }>('austream:infer:passed-over'),
} as const;
