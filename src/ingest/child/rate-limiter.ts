import type { Micros } from '../../domain/frame.ts';
import { minimumShare } from '../protocol/minimum-share.ts';
import { FrameDecimator } from './frame-decimator.ts';
import { LoadShedder } from './load-shedder.ts';

/**
 * Decides which decoded frames are analysed: at most `analysisFps` (FrameDecimator), and of those the share that the
 * host allows under load (LoadShedder), but never so few that a gap longer than `gapSeconds` results.
 */
export class RateLimiter {
  readonly #analysisFps: number;
  readonly #gapSeconds: number;
  readonly #shedder = new LoadShedder();
  #decimator: FrameDecimator | null = null;

  constructor(analysisFps: number, gapSeconds: number) {
    this.#analysisFps = analysisFps;
    this.#gapSeconds = gapSeconds;
  }

  /** A new epoch begins: restarts the measurement of its rate. The share stays. */
  beginEpoch(declaredFps: number | null): void {
    this.#decimator = new FrameDecimator(this.#analysisFps, declaredFps);
  }

  /** Share of the decimated frames to analyse from now on, 0…1. */
  throttle(share: number): void {
    this.#shedder.share = share;
  }

  /** Nominal interval of analysed frames at full share; 0 before the first epoch. */
  get interval(): Micros {
    return this.#decimator?.interval ?? 0;
  }

  /** Call it for every decoded frame of the epoch. Null if the frame is to be analysed, else the cause of its drop. */
  dropCause(captureTime: Micros): 'analysis_fps' | 'overload' | null {
    if (!this.#decimator!.admit(captureTime)) return 'analysis_fps';
    return this.#shedder.admit(minimumShare(this.interval, this.#gapSeconds)) ? null : 'overload';
  }
}
