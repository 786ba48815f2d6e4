import type { FaceStamp } from '../domain/face.ts';
import { AU_COUNT, type AuScores, type SmoothedScores } from '../domain/scores.ts';
import type { AuModel } from './engine/index.ts';
import type { InferOptions } from './options.ts';

export type SmoothingOptions = InferOptions['smoothing'] & { readonly sigma: number };

/** The config's smoothing with its σ, or the model's σ for the mode if the config has none. */
export function effectiveSmoothing(
  { sigma: modelSigma }: Pick<AuModel, 'sigma'>,
  { mode, kernel, sigma = modelSigma[mode === 'centered' ? mode : 'causal'] }: InferOptions['smoothing'],
): SmoothingOptions {
  return { mode, kernel, sigma };
}

/**
 * Samples that are kept, in kernels: more only if frames come much faster than their nominal interval, or if their times
 * go backwards. Then the oldest are left out, so that a track's memory stays bounded.
 */
const MAX_KERNELS = 4;

type FrameTime = Pick<FaceStamp, 'captureTime' | 'interval'>;

/** One input sample of the filter: a frame's time and its raw scores, (12) or null. */
export interface SmoothingSample extends FrameTime {
  readonly raw: Float32Array | null;
}

/** Serializable state of a smoother between two frames. */
export interface SmootherState {
  readonly samples: readonly SmoothingSample[];
  readonly pending: readonly AuScores[];
}

/**
 * Gaussian smoothing of one track's scores within one epoch (Vu et al. 2023, section 3.4; kernel of 51 taps, σ = 3
 * frames, found by grid search):
 *
 *   s_t = Σ_k w_k x_k / Σ_k w_k,   w_k = exp(−d_k² / 2σ²)
 *
 * d_k is the distance in capture time, in frame intervals, so that dropped frames do not distort the filter; at a
 * constant frame rate d_k = k. The sum covers the samples within ⌊kernel / 2⌋ frames: the past half, k = 0 … 25
 * (`causal`, no delay), or both sides, k = −25 … 25 (`centered`, delayed until those frames are known). Frames without
 * scores have no weight and stay without scores.
 */
export class ScoreSmoother {
  readonly #mode: SmoothingOptions['mode'];
  readonly #halfKernel: number;
  readonly #maxSamples: number;
  readonly #sigma: number;
  /** Samples within the kernel of a frame that is pending or still to come, oldest first. */
  #samples: SmoothingSample[] = [];
  /** Frames that wait for later samples of the centered kernel, oldest first. */
  #pending: AuScores[] = [];

  /** `state`: resumes another smoother with the same options. */
  constructor(options: SmoothingOptions, state?: SmootherState) {
    this.#mode = options.mode;
    this.#halfKernel = Math.floor(options.kernel / 2);
    this.#maxSamples = MAX_KERNELS * options.kernel;
    this.#sigma = options.sigma;
    if (state) {
      this.#samples = [...state.samples];
      this.#pending = [...state.pending];
    }
  }

  /** Everything that later frames depend on. */
  state(): SmootherState {
    return { samples: [...this.#samples], pending: [...this.#pending] };
  }

  /** Adds the next frame. Returns the frames whose smoothed scores are final, in order. */
  push(scores: AuScores): SmoothedScores[] {
    if (this.#mode === 'off') return [{ ...scores, smoothed: scores.raw }];
    const { captureTime, interval } = scores.face;
    this.#samples.push({ captureTime, interval, raw: scores.raw });
    this.#pending.push(scores);
    const ready: SmoothedScores[] = [];
    for (let next = this.#pending[0]; next; next = this.#pending[0]) {
      const isOpen = Math.round(framesBetween(next.face, scores.face)) < this.#halfKernel;
      if (this.#mode === 'centered' && isOpen && this.#pending.length <= this.#maxSamples) break;
      ready.push(this.#smooth(next));
      this.#pending.shift();
    }
    this.#prune();
    return ready;
  }

  /** Ends the track. Returns the pending frames, smoothed with the samples that exist. */
  end(): SmoothedScores[] {
    const remaining = this.#pending.map((scores) => this.#smooth(scores));
    this.#samples = [];
    this.#pending = [];
    return remaining;
  }

  #smooth(frame: AuScores): SmoothedScores {
    if (!frame.raw) return { ...frame, smoothed: null };
    const sum = new Float64Array(AU_COUNT);
    let weightSum = 0;
    for (const sample of this.#samples) {
      const d = framesBetween(frame.face, sample);
      if (!sample.raw || Math.round(Math.abs(d)) > this.#halfKernel || (this.#mode === 'causal' && d > 0))
        continue;
      const weight = Math.exp(-(d * d) / (2 * this.#sigma * this.#sigma));
      weightSum += weight;
      for (let au = 0; au < AU_COUNT; au += 1) sum[au]! += weight * sample.raw[au]!;
    }
    return { ...frame, smoothed: Float32Array.from(sum, (value) => value / weightSum) };
  }

  /** Drops the samples that no pending or later frame can reach. */
  #prune(): void {
    const oldestPending = this.#pending[0]?.face ?? this.#samples.at(-1)!;
    const firstInReach = this.#samples.findIndex(
      (sample) => Math.round(framesBetween(sample, oldestPending)) <= this.#halfKernel,
    );
    this.#samples.splice(0, Math.max(firstInReach, this.#samples.length - this.#maxSamples));
  }
}

/** Distance in capture time from `a` to `b`, in frame intervals of `b`; negative if `b` is older. */
function framesBetween(a: FrameTime, b: FrameTime): number {
  return (b.captureTime - a.captureTime) / b.interval;
}
