import type { AddressRule } from '../../camera/address-list.ts';
import type { CameraOptions } from '../../camera/options.ts';
import type { DetectOptions } from '../../detect/options.ts';
import type { ClockSource, Micros } from '../../domain/frame.ts';
import type { ErrorCode } from '../../errors.ts';
import type { IngestOptions } from '../options.ts';

/** File descriptor of the camera process's socket for messages to and from the host (`channel.ts`). */
export const MESSAGES_FD = 3;
/** File descriptor of the camera process's pipe to the host (`wire.ts`). */
export const FACES_FD = 4;
/** Interval of the child's reports, which are also its heartbeat. */
export const REPORT_MS = 500;

/** From the host to a camera process. */
export type ToChild =
  /** The first message, sent once. The camera's credentials are sent here and nowhere else. */
  | {
      readonly type: 'start';
      readonly camera: CameraOptions;
      /** Checked by the child before it connects; empty: the camera may be anywhere. */
      readonly addressRules: readonly AddressRule[];
      readonly ingest: IngestOptions;
      readonly detect: DetectOptions;
      /** Descriptor of a listening TCP socket on the loopback that the child has; null: it opens one itself. */
      readonly listenerFd: number | null;
      /** Epochs of this run are numbered above this one. */
      readonly lastEpoch: number;
    }
  /** The host has processed one frame of the pipe: the child gets its credit back (`send-queue.ts`). */
  | { readonly type: 'acknowledged' }
  /** Share of the frames to analyse from now on, 0…1. */
  | { readonly type: 'throttle'; readonly share: number }
  /** The child ends the camera and exits. */
  | { readonly type: 'stop' };

/** Why an epoch began. */
export const EPOCH_CAUSES = [
  'first_frame',
  'format_changed',
  'clock_source_changed',
  'clock_stepped',
] as const;
export type EpochCause = (typeof EPOCH_CAUSES)[number];

/** Why a camera process did not analyse or deliver a frame. A closed list: the causes are labels of metrics. */
export const DROP_CAUSES = [
  'unreadable',
  'reader_slow',
  'analysis_slow',
  'host_slow',
  'analysis_fps',
  'overload',
  'masked',
] as const;
export type DropCause = (typeof DROP_CAUSES)[number];

/** Frames of the current epoch. */
export interface FrameCounts {
  readonly decoded: number;
  readonly analysed: number;
  /** Frames decoded but not analysed, or analysed but not delivered, by cause; the host adds `too_old`. */
  readonly drops: Readonly<Partial<Record<DropCause | 'too_old', number>>>;
}

/** The camera's clock compared with the host's. */
export interface ClockReport {
  /** Camera clock minus host clock, network delay included; null while unknown. */
  readonly clockErrorMs: number | null;
  /** Drift of the clock used for capture times against the host's; null until a minute of an epoch was measured. */
  readonly driftPpm: number | null;
}

/** What people should change although the camera works. */
export const CAMERA_WARNINGS = ['password_unencrypted'] as const;
export type CameraWarning = (typeof CAMERA_WARNINGS)[number];

/** From a camera process to the host, which validates it (`to-host.ts`). Faces are sent over the pipe (`wire.ts`). */
export type ToHost =
  /** The detector is loaded and the camera is being opened; for an ONVIF camera sent again once its stream is known. */
  | { readonly type: 'opening' }
  /** The ONVIF device returned its stream. `detail` describes it for people, without credentials. */
  | { readonly type: 'resolved'; readonly detail: string }
  | { readonly type: 'warning'; readonly warning: CameraWarning }
  /** The camera accepted PLAY. */
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
      /** Camera clock minus host clock; null while unknown. */
      readonly clockErrorMs: number | null;
      readonly captureTime: Micros;
      readonly receivedAt: Micros;
    }
  /** Sent every `REPORT_MS`, and at the end of an epoch. */
  | ({ readonly type: 'report' /** Resident bytes. */; readonly rss: number } & FrameCounts & ClockReport)
  /** The camera failed. The host ends the channel, and the process exits. Without credentials. */
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string; readonly fix?: string }
  /** A file ended and all its frames are on the pipe. The host ends the channel, and the process exits. */
  | { readonly type: 'ended' };
