/** Integer microseconds; safe as a JavaScript number until the year 2255. */
export type Micros = number;

/**
 * Where `captureTime` comes from: the camera's own clock through RTCP sender reports, the moment of
 * arrival on this host, or the media time of a file. They are never mixed within one epoch.
 */
export type ClockSource = 'rtcp' | 'arrival' | 'file';

/** What identifies one decoded frame and says when it was. */
export interface FrameStamp {
  readonly cameraId: string;
  /**
   * One uninterrupted run of one decoder. Live sources: the child's start in Unix milliseconds, so that
   * it never repeats; files: 0, 1, 2 … so that a replay gives the same event ids.
   */
  readonly epoch: number;
  /** Decoded frames since the epoch began, counting those that were not analysed. */
  readonly frame: number;
  readonly captureTime: Micros;
  readonly clockSource: ClockSource;
  /**
   * How far `captureTime` is ahead of this host's clock by what the sender reports say, the way of the packets
   * included, in milliseconds; null where there is nothing to compare (`arrival`, `file`).
   */
  readonly clockErrorMs: number | null;
  /** When this host took the frame from the decoder. */
  readonly receivedAt: Micros;
  /** Nominal distance between analysed frames of this stream; the smoother's unit of time. */
  readonly interval: Micros;
}

/** Planar YUV 4:2:0, limited range unless `fullRange`; planes are views, valid until the next frame. Strides are multiples of 4. */
export interface I420Image {
  readonly width: number;
  readonly height: number;
  readonly y: Uint8Array;
  readonly u: Uint8Array;
  readonly v: Uint8Array;
  readonly strideY: number;
  readonly strideC: number;
  readonly fullRange: boolean;
  /** Colour matrix of the stream. */
  readonly matrix: 'bt601' | 'bt709';
}

export interface Frame extends FrameStamp {
  readonly image: I420Image;
  /** The decoder reported damage in or just before this frame. */
  readonly corrupt: boolean;
}
