import type { CameraOptions } from '../../camera/options.ts';
import type { DetectOptions } from '../../detect/options.ts';
import type { ClockSource, Micros } from '../../domain/frame.ts';
import type { ErrorCode } from '../../errors.ts';
import type { IngestOptions } from '../options.ts';

/** From the host to a camera child, over IPC. */
export type ToChild =
  /** Once, first. The camera's credentials travel here and nowhere else. */
  | {
      readonly type: 'start';
      readonly camera: CameraOptions;
      readonly ingest: IngestOptions;
      readonly detect: DetectOptions;
      /** Epochs of this run lie above. */
      readonly lastEpoch: number;
    }
  /** The host has taken one frame's faces off the pipe. */
  | { readonly type: 'taken' }
  /** Which part of the frames is to be analysed from now on, 0…1. */
  | { readonly type: 'pace'; readonly share: number }
  | { readonly type: 'stop' };

/** Why an epoch began. */
export type EpochCause = 'first_frame' | 'format_changed' | 'clock_source_changed' | 'clock_stepped';

/** Frames since the epoch began. */
export interface FrameCounts {
  readonly decoded: number;
  readonly analysed: number;
  /** Decoded but not analysed, or analysed but not delivered, by cause. */
  readonly drops: Readonly<Record<string, number>>;
}

/** How the clocks of camera and host compare. */
export interface ClockReport {
  /** How far the camera's own clock is ahead of this host's; null while unknown. */
  readonly clockErrorMs: number | null;
  /** How much faster the clock behind capture times is than this host's; null until enough of an epoch was seen. */
  readonly driftPpm: number | null;
}

/** From a camera child to the host, over IPC. The faces themselves come by the pipe (`wire.ts`). */
export type ToHost =
  /** The detector is loaded, the camera is being opened; again after a device was asked which stream that is. */
  | { readonly type: 'opening' }
  /** The device told its stream; how, in words for people, free of credentials. */
  | { readonly type: 'resolved'; readonly detail: string }
  /** The camera agreed to play. */
  | { readonly type: 'connected' }
  /** The first frame of an epoch was decoded. */
  | {
      readonly type: 'epoch';
      readonly epoch: number;
      readonly cause: EpochCause;
      readonly width: number;
      readonly height: number;
      readonly codec: string | null;
      readonly clockSource: ClockSource;
      /** How far the camera's own clock is ahead of this host's; null while unknown. */
      readonly clockErrorMs: number | null;
      readonly captureTime: Micros;
      readonly receivedAt: Micros;
    }
  /** A sign of life, every `REPORT_MS`. */
  | ({ readonly type: 'report' /** Resident bytes. */; readonly rss: number } & FrameCounts & ClockReport)
  /** It cannot go on; the process ends. Free of credentials. */
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string; readonly fix?: string }
  /** A file came to its end, all of it is on the pipe; the process ends. */
  | { readonly type: 'ended' };

export const REPORT_MS = 500;
