import { type Channel, channel } from 'node:diagnostics_channel';
import type { CameraStatus } from './domain/camera-status.ts';
import type { AuFrame, FrameHead } from './domain/event.ts';
import type { FaceStamp, FrameFaces } from './domain/face.ts';
import type { Micros } from './domain/frame.ts';
import type { TopicDelivery } from './domain/topic-delivery.ts';

/** A typed channel of `node:diagnostics_channel`. Without subscribers, publishing costs one check. */
export class DiagnosticsChannel<T extends object> {
  readonly #channel: Channel;

  constructor(name: string) {
    this.#channel = channel(name);
  }

  /** Check this before building an expensive message. */
  get hasSubscribers(): boolean {
    return this.#channel.hasSubscribers;
  }

  publish(message: T): void {
    this.#channel.publish(message);
  }

  /** Returns a function that unsubscribes. */
  subscribe(listener: (message: T) => void): () => void {
    const onMessage = (message: unknown) => listener(message as T);
    this.#channel.subscribe(onMessage);
    return () => this.#channel.unsubscribe(onMessage);
  }
}

/** Queue lengths of a process and the state of its Kafka connection, read by gauges. */
export interface ProcessGauges {
  /** Crops that wait for the model; absent in a process without one. */
  readonly queuedCrops?: number;
  readonly publisher: {
    readonly connected: boolean;
    /** Events handed to the publisher that no broker has acknowledged. */
    readonly pending: number;
    /** Bytes of the spool on disk; absent without a spool. */
    readonly spoolBytes?: number;
    /** Each topic that this process writes. */
    readonly topics: readonly TopicDelivery[];
  };
}

/** When a piece of work began and ended. */
export interface TimeSpan {
  readonly from: Micros;
  readonly to: Micros;
}

/**
 * Channels on which the stages report what they do. Stages do not know their subscribers: `src/telemetry` makes metrics
 * and traces of the messages, and an APM agent can subscribe by channel name.
 */
export const diagnostics = {
  /** The host process received one analysed frame of a camera with its crops. */
  frame: new DiagnosticsChannel<{
    readonly faces: FrameFaces;
    readonly at: Micros;
    /** Another process scores the crops. */
    readonly scoredElsewhere?: boolean;
  }>('austream:ingest:frame'),
  status: new DiagnosticsChannel<CameraStatus>('austream:ingest:status'),
  /** The frame encoder ran over a batch of crops. `longestWaitMs`: the longest time one of them was queued. */
  encoded: new DiagnosticsChannel<
    TimeSpan & { readonly faces: readonly FaceStamp[]; readonly longestWaitMs: number }
  >('austream:infer:encoded'),
  /** The window encoders scored windows; `faces` are the scored frames. */
  scored: new DiagnosticsChannel<
    TimeSpan & { readonly faces: readonly FaceStamp[]; readonly windows: number }
  >('austream:infer:scored'),
  /** Frames were handed to the publisher. */
  published: new DiagnosticsChannel<{ readonly frames: readonly AuFrame[]; readonly at: Micros }>(
    'austream:publish:handed',
  ),
  /** A broker acknowledged a frame. */
  acknowledged: new DiagnosticsChannel<{ readonly frame: FrameHead; readonly at: Micros }>(
    'austream:publish:acknowledged',
  ),
  /** The certificates of the config, and when they expire (seconds since 1970). */
  certificates: new DiagnosticsChannel<{
    readonly certificates: readonly {
      readonly setting: string;
      readonly file: string;
      readonly expiresAt: number;
    }[];
  }>('austream:kafka:certificates'),
  /** The host's wall clock was set; a negative step set it back. */
  clockStepped: new DiagnosticsChannel<{ readonly stepMs: number }>('austream:clock:stepped'),
  /** Crops or events were lost for good after detection. */
  lost: new DiagnosticsChannel<{ readonly cameraId: string; readonly count: number; readonly cause: string }>(
    'austream:lost',
  ),
  /** Two processes run one camera: the part of this one. Null: no longer. */
  ownership: new DiagnosticsChannel<{
    readonly cameraId: string;
    readonly role: 'owner' | 'superseded' | null;
  }>('austream:ingest:ownership'),
  /** Delivery of a topic is held, or goes on. `ProcessGauges.publisher.topics` has the numbers. */
  delivery: new DiagnosticsChannel<{
    readonly topic: string;
    readonly state: 'delivering' | 'held';
    readonly cause: string;
    readonly detail: string;
  }>('austream:publish:delivery'),
  /** An inference worker skipped crops: `late` (already scored) or `old_epoch` (the epoch has ended). */
  skipped: new DiagnosticsChannel<{
    readonly cameraId: string;
    readonly count: number;
    readonly cause: 'late' | 'old_epoch';
  }>('austream:infer:passed-over'),
} as const;
