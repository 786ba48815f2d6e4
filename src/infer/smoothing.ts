import type { FaceStamp } from '../domain/face.ts';
import { AU_COUNT, type AuScores, type SmoothedScores } from '../domain/scores.ts';
import type { AuModel } from './engine/index.ts';
import type { InferOptions } from './options.ts';

export type SmoothingOptions = InferOptions['smoothing'] & { readonly sigma: number };

/** The model's σ where the config has none. */
export function effectiveSmoothing(
  { sigma: own }: Pick<AuModel, 'sigma'>,
  { mode, kernel, sigma = own[mode === 'centered' ? mode : 'causal'] }: InferOptions['smoothing'],
): SmoothingOptions {
  return { mode, kernel, sigma };
}

type FrameTime = Pick<FaceStamp, 'captureTime' | 'interval'>;

/** What the filter needs of a frame: when it was, and its (12) scores or null. */
export interface SmoothingSample extends FrameTime {
  readonly raw: Float32Array | null;
}

/** A smoother between two frames. */
export interface SmootherState {
  readonly samples: readonly SmoothingSample[];
  readonly pending: readonly AuScores[];
}

/**
 * Gaussian smoothing of one track's scores within one epoch (Vu et al. 2023, section 3.4: 51 taps, σ from a grid search):
 *
 *   s_t = Σ_k w_k x_k / Σ_k w_k,   w_k = exp(−d_k² / 2σ²)
 *
 * d_k is the distance in capture time, in nominal frames, so that dropped frames do not bend the filter; at a
 * constant rate it is the index form. The sum runs over the frames that exist within ⌊kernel / 2⌋ frames: of the
 * past (`causal`), or of both sides (`centered`, which gives a frame only when its future is known). Frames without
 * scores pass through without any and weigh nothing.
 */
export class ScoreSmoother {
  readonly #mode: SmoothingOptions['mode'];
  readonly #halfKernel: number;
  readonly #sigma: number;
  /** Newest frames, oldest first; as many as the filter can still reach. */
  #samples: SmoothingSample[] = [];
  /** Frames that have not been given out: their future is not known yet. */
  #pending: AuScores[] = [];

  /** `state` goes on from where another smoother with the same options was. */
  constructor(options: SmoothingOptions, state?: SmootherState) {
    this.#mode = options.mode;
    this.#halfKernel = Math.floor(options.kernel / 2);
    this.#sigma = options.sigma;
    if (state) {
      this.#samples = [...state.samples];
      this.#pending = [...state.pending];
    }
  }

  /** All that later frames depend on. */
  state(): SmootherState {
    return { samples: [...this.#samples], pending: [...this.#pending] };
  }

  /** Takes the next frame; gives the frames that are now final, in order. */
  push(scores: AuScores): SmoothedScores[] {
    if (this.#mode === 'off') return [{ ...scores, smoothed: scores.raw }];
    const { captureTime, interval } = scores.face;
    this.#samples.push({ captureTime, interval, raw: scores.raw });
    this.#pending.push(scores);
    const ready: SmoothedScores[] = [];
    for (let next = this.#pending[0]; next; next = this.#pending[0]) {
      if (this.#mode === 'centered' && Math.round(framesBetween(next.face, scores.face)) < this.#halfKernel)
        break;
      ready.push(this.#smooth(next));
      this.#pending.shift();
    }
    this.#prune();
    return ready;
  }

  /** The track is over: gives what still waited for its future. */
  end(): SmoothedScores[] {
    const rest = this.#pending.map((scores) => this.#smooth(scores));
    this.#samples = [];
    this.#pending = [];
    return rest;
  }

  #smooth(at: AuScores): SmoothedScores {
    if (!at.raw) return { ...at, smoothed: null };
    const sum = new Float64Array(AU_COUNT);
    let total = 0;
    for (const tap of this.#samples) {
      const d = framesBetween(at.face, tap);
      if (!tap.raw || Math.round(Math.abs(d)) > this.#halfKernel || (this.#mode === 'causal' && d > 0))
        continue;
      const weight = Math.exp(-(d * d) / (2 * this.#sigma * this.#sigma));
      total += weight;
      for (let au = 0; au < AU_COUNT; au += 1) sum[au]! += weight * tap.raw[au]!;
    }
    return { ...at, smoothed: Float32Array.from(sum, (value) => value / total) };
  }

  /** Drops what no frame to come can reach. */
  #prune(): void {
    const oldest = this.#pending[0]?.face ?? this.#samples.at(-1)!;
    const gone = this.#samples.findIndex((tap) => Math.round(framesBetween(tap, oldest)) <= this.#halfKernel);
    this.#samples.splice(0, gone);
  }
}

/** From `a` to `b` in nominal frames; negative when `b` is older. */
function framesBetween(a: FrameTime, b: FrameTime): number {
  return (b.captureTime - a.captureTime) / b.interval;
}
