import { AU_COUNT, type AuScores, type SmoothedScores } from '../domain.ts';
import type { InferOptions } from './options.ts';

/**
 * Gaussian smoothing of one track's scores within one epoch (Vu et al. 2023, section 3.4: 51 taps, σ = 3 frames):
 *
 *   s_t = Σ_k w_k x_k / Σ_k w_k,   w_k = exp(−d_k² / 2σ²)
 *
 * d_k is the distance in capture time, in nominal frames, so that dropped frames do not bend the filter; at a
 * constant rate it is the index form. The sum runs over the frames that exist within ⌊kernel / 2⌋ frames: of the
 * past (`causal`), or of both sides (`centered`, which gives a frame only when its future is known). Frames without
 * scores pass through without any and weigh nothing.
 */
export class ScoreSmoother {
  readonly #mode: InferOptions['smoothing']['mode'];
  readonly #reach: number;
  readonly #sigma: number;
  /** Newest frames, oldest first; as many as the filter can still reach. */
  #frames: AuScores[] = [];
  /** How many at the front of `#frames` have been given out. */
  #given = 0;

  constructor(options: InferOptions['smoothing']) {
    this.#mode = options.mode;
    this.#reach = Math.floor(options.kernel / 2);
    this.#sigma = options.sigma;
  }

  /** Takes the next frame; gives the frames that are now final, in order. */
  push(scores: AuScores): SmoothedScores[] {
    if (this.#mode === 'off') return [{ ...scores, smoothed: scores.raw }];
    this.#frames.push(scores);
    const ready: SmoothedScores[] = [];
    while (this.#given < this.#frames.length) {
      const next = this.#frames[this.#given]!;
      if (this.#mode === 'centered' && Math.round(distance(next, scores)) < this.#reach) break;
      ready.push(this.#smooth(next));
      this.#given += 1;
    }
    this.#forget();
    return ready;
  }

  /** The track is over: gives what still waited for its future. */
  end(): SmoothedScores[] {
    const rest = this.#frames.slice(this.#given).map((scores) => this.#smooth(scores));
    this.#frames = [];
    this.#given = 0;
    return rest;
  }

  #smooth(at: AuScores): SmoothedScores {
    if (!at.raw) return { ...at, smoothed: null };
    const sum = new Float64Array(AU_COUNT);
    let total = 0;
    for (const frame of this.#frames) {
      const d = distance(at, frame);
      if (!frame.raw || Math.round(Math.abs(d)) > this.#reach || (this.#mode === 'causal' && d > 0)) continue;
      const weight = Math.exp(-(d * d) / (2 * this.#sigma * this.#sigma));
      total += weight;
      for (let au = 0; au < AU_COUNT; au += 1) sum[au]! += weight * frame.raw[au]!;
    }
    return { ...at, smoothed: Float32Array.from(sum, (value) => value / total) };
  }

  /** Drops what no frame to come can reach. */
  #forget(): void {
    const oldest = this.#frames[this.#given] ?? this.#frames.at(-1)!;
    let gone = 0;
    while (gone < this.#given && Math.round(distance(this.#frames[gone]!, oldest)) > this.#reach) gone += 1;
    this.#frames.splice(0, gone);
    this.#given -= gone;
  }
}

/** From `a` to `b` in nominal frames; negative when `b` is older. */
function distance(a: AuScores, b: AuScores): number {
  return (b.face.captureTime - a.face.captureTime) / b.face.interval;
}
