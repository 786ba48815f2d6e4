/** Integer microseconds; safe as a JavaScript number until the year 2255. */
export type Micros = number;

/**
 * Source of `captureTime`: the camera's clock through RTCP sender reports, the arrival time on this host, or the media
 * time of a file. It is constant within one epoch.
 */
export type ClockSource = 'rtcp' | 'arrival' | 'file';

/** Identity and times of one decoded frame. */
export interface FrameStamp {
  readonly cameraId: string;
  /**
   * One uninterrupted run of one decoder. Live sources: the epoch's start in Unix milliseconds, which never repeats.
   * Files: 0, 1, 2 …, so that a replay gives the same event ids.
   */
  readonly epoch: number;
  /** Number of the frame within the epoch, counting every decoded frame, analysed or not. */
  readonly frame: number;
  readonly captureTime: Micros;
  readonly clockSource: ClockSource;
  /** Camera clock minus host clock by the sender reports, network delay included; null unless `rtcp`. */
  readonly clockErrorMs: number | null;
  /** When the decoder output the frame, on the host clock. */
  readonly receivedAt: Micros;
  /** Frame interval: nominal distance between analysed frames of this stream; the smoothing's unit of time. */
  readonly interval: Micros;
}

/**
 * Planar YUV 4:2:0 image, limited range unless `fullRange`. Planes are views, valid until the next frame. Strides are
 * in bytes and multiples of 4.
 */
export interface I420Image {
  readonly width: number;
  readonly height: number;
  readonly y: Uint8Array;
  readonly u: Uint8Array;
  readonly v: Uint8Array;
  readonly strideY: number;
  readonly strideC: number;
  readonly fullRange: boolean;
  /** YUV to RGB colour matrix of the stream. */
  readonly matrix: 'bt601' | 'bt709';
}

export interface Frame extends FrameStamp {
  readonly image: I420Image;
  /** The decoder reported corruption in or just before this frame. */
  readonly corrupt: boolean;
}
