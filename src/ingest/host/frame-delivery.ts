import type { FrameFaces } from '../../domain/face.ts';
import type { CameraEvents } from './camera-events.ts';

/**
 * Delivers one camera's frames and ends each epoch exactly once. Receivers report their own failures: a rejection
 * never ends a live camera.
 */
export class FrameDelivery {
  readonly #cameraId: string;
  readonly #isLive: boolean;
  readonly #events: Pick<CameraEvents, 'faces' | 'epochEnded' | 'epochDiscarded'>;
  /** Epoch of the newest delivered frame, until it is ended. */
  #openEpoch: number | null = null;
  #discarding = false;

  constructor(
    cameraId: string,
    isLive: boolean,
    events: Pick<CameraEvents, 'faces' | 'epochEnded' | 'epochDiscarded'>,
  ) {
    this.#cameraId = cameraId;
    this.#isLive = isLive;
    this.#events = events;
  }

  /**
   * Delivers the next frame. `isFresh`: false drops its crops but keeps its ended tracks, which count at any age.
   * For a file the promise settles as the receiver's does; for a live source it resolves at once.
   */
  async deliver(faces: FrameFaces, isFresh: boolean): Promise<void> {
    if (this.#openEpoch !== null && this.#openEpoch !== faces.epoch) {
      const ended = this.endEpoch();
      if (!this.#isLive) await ended;
    }
    this.#openEpoch = faces.epoch;
    const delivered = this.#events.faces(isFresh ? faces : { ...faces, crops: [] });
    if (!this.#isLive) await delivered;
    else if (delivered) delivered.catch(() => {});
  }

  /** Ends the open epoch, if any. Resolves when the receiver has processed it; never rejects. */
  endEpoch(): Promise<void> {
    return this.#closeEpoch('epochEnded');
  }

  /** Ends the open epoch, if any, and drops what is not scored. Until `resume` every frame is dropped. */
  discardEpoch(): Promise<void> {
    this.#discarding = true;
    return this.#closeEpoch('epochDiscarded');
  }

  /** True while frames are dropped. */
  get isDiscarding(): boolean {
    return this.#discarding;
  }

  resume(): void {
    this.#discarding = false;
  }

  async #closeEpoch(how: 'epochEnded' | 'epochDiscarded'): Promise<void> {
    const epoch = this.#openEpoch;
    this.#openEpoch = null;
    if (epoch === null) return;
    try {
      await (this.#events[how] ?? this.#events.epochEnded)(this.#cameraId, epoch);
    } catch {
      // The receiver reports its own failure.
    }
  }
}
