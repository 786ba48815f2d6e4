import type { ActivationEnd, AuActivation, AuFrame, AuState } from '../domain/event.ts';
import type { FaceStamp } from '../domain/face.ts';
import type { Micros } from '../domain/frame.ts';
import { gapThreshold } from '../domain/gap.ts';
import { AU_COUNT, AU_NAMES, type AuScores, type SmoothedScores } from '../domain/scores.ts';
import { eventId, type TrackKey } from '../domain/track-key.ts';
import { type ActivationState, ActivationTracker } from './activations.ts';
import type { AuModel } from './engine/index.ts';
import type { InferOptions } from './options.ts';
import { effectiveSmoothing, ScoreSmoother, type SmootherState } from './smoothing.ts';
import { TrackWindow } from './window.ts';

/** A hop that waits for the window encoder. */
export interface Hop {
  readonly track: TrackInference;
  readonly faces: readonly FaceStamp[];
  /** (256, D); null where no face of the hop nor any before it was reliable. */
  readonly embeddings: Float32Array | null;
  readonly warmup: boolean;
  /** Set when this is the last hop before a break. */
  readonly endReason: ActivationEnd | null;
}

/** What one scored hop gives. */
export interface HopEvents {
  readonly frames: AuFrame[];
  readonly activations: AuActivation[];
}

/** (12) The model's thresholds where the config has no others. */
export function effectiveThresholds(model: AuModel, options: InferOptions): Float32Array {
  return model.thresholds.map((own, au) => options.thresholds[AU_NAMES[au]!] ?? own);
}

/**
 * A track between two hops, without its window: that is made again from the crops. Small enough to travel with the
 * events of each hop.
 */
export interface TrackState {
  /** Newest frame that was scored; -1 before the first one. */
  readonly lastScoredFrame: number;
  readonly smoother: SmootherState;
  readonly activations: ActivationState;
}

/** Window, smoothing and activations of one face track. No window and no filter ever spans a break. */
export class TrackInference {
  readonly id: TrackKey;
  readonly #model: AuModel;
  readonly #options: InferOptions;
  readonly #thresholds: Float32Array;
  readonly #activations: ActivationTracker;
  #window: TrackWindow;
  #smoother: ScoreSmoother;
  #lastCaptureTime: Micros | null = null;
  #lastReliableTime: Micros | null = null;
  #lastScoredFrame: number;
  /** Frames up to this one were scored elsewhere: they only fill the window. */
  readonly #restoredUpTo: number;

  /** `state` goes on from where this track was elsewhere: first come the frames of its window once more. */
  constructor(id: TrackKey, model: AuModel, options: InferOptions, state?: TrackState) {
    this.id = id;
    this.#lastScoredFrame = this.#restoredUpTo = state?.lastScoredFrame ?? -1;
    this.#model = model;
    this.#options = options;
    this.#thresholds = effectiveThresholds(model, options);
    this.#activations = new ActivationTracker(options.activations, this.#thresholds, state?.activations);
    this.#window = this.#newWindow();
    this.#smoother = new ScoreSmoother(effectiveSmoothing(model, options.smoothing), state?.smoother);
  }

  /** As of the newest hop that was finished. */
  state(): TrackState {
    return {
      lastScoredFrame: this.#lastScoredFrame,
      smoother: this.#smoother.state(),
      activations: this.#activations.state(),
    };
  }

  /** Takes the track's next face with its embedding (null: unreliable); gives the hops that are now due. */
  append(face: FaceStamp, embedding: Float32Array | null): Hop[] {
    const due: Hop[] = [];
    const hole = gapThreshold(this.#options.gapSeconds, face.interval);
    if (this.#lastReliableTime !== null && face.captureTime - this.#lastReliableTime > hole) {
      due.push(this.#takeHop(face.captureTime - this.#lastCaptureTime! > hole ? 'gap' : 'unreliable'));
      this.#window = this.#newWindow();
      this.#lastReliableTime = null;
    }
    if (face.frame <= this.#restoredUpTo) this.#window.refill(embedding);
    else this.#window.append(face, embedding);
    this.#lastCaptureTime = face.captureTime;
    if (embedding) this.#lastReliableTime = face.captureTime;
    if (this.#window.pendingCount >= this.#options.hop) due.push(this.#takeHop(null));
    return due;
  }

  /** The track is over: the hop of what is left. */
  end(reason: ActivationEnd): Hop {
    return this.#takeHop(reason);
  }

  /** `scores`: (hop, 12) of the newest frames of the hop's window. */
  finish(hop: Hop, scores: Float32Array | null, inferredAt: Micros): HopEvents {
    const frames: AuFrame[] = [];
    const activations: AuActivation[] = [];
    this.#lastScoredFrame = hop.faces.at(-1)?.frame ?? this.#lastScoredFrame;
    const publish = (smoothed: SmoothedScores) => {
      const frame = this.#toEvent(smoothed, inferredAt);
      frames.push(frame);
      activations.push(...this.#activations.push(frame));
    };
    hop.faces.forEach((face, index) => {
      const row = this.#model.hop - hop.faces.length + index;
      const trusted = scores !== null && face.quality.unreliable === null;
      const raw = trusted ? scores.slice(row * AU_COUNT, (row + 1) * AU_COUNT) : null;
      const next: AuScores = { face, warmup: hop.warmup, raw };
      this.#smoother.push(next).forEach(publish);
    });
    if (hop.endReason) {
      this.#smoother.end().forEach(publish);
      activations.push(...this.#activations.end(hop.endReason));
    }
    return { frames, activations };
  }

  #takeHop(endReason: ActivationEnd | null): Hop {
    const { faces, window } = this.#window.takeHop();
    return {
      track: this,
      faces,
      embeddings: faces.length > 0 ? (window?.embeddings ?? null) : null,
      warmup: window?.warmup ?? true,
      endReason,
    };
  }

  #newWindow(): TrackWindow {
    return new TrackWindow(this.#model.windowSize, this.#model.embeddingSize);
  }

  #toEvent({ face, warmup, raw, smoothed }: SmoothedScores, inferredAt: Micros): AuFrame {
    const state = (au: number): AuState | null =>
      raw && smoothed
        ? {
            raw: raw[au]!,
            p: smoothed[au]!,
            active: smoothed[au]! >= this.#thresholds[au]!,
            reliability: this.#model.reliability?.[au] ?? null,
          }
        : null;
    return {
      ...face,
      eventId: eventId(face),
      inferredAt,
      warmup,
      model: this.#model.stamp,
      aus: Object.fromEntries(AU_NAMES.map((name, au) => [name, state(au)])) as AuFrame['aus'],
    };
  }
}
