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

/** The frames of one track that are scored together: `hop` new ones, or fewer when the window ends. */
export interface Hop {
  readonly track: TrackInference;
  readonly faces: readonly FaceStamp[];
  /** The window that ends with these frames, (256, D); null if the window holds no reliable frame yet. */
  readonly embeddings: Float32Array | null;
  /** Fewer than 256 real frames in the window. */
  readonly warmup: boolean;
  /** Why the window ends with this hop; null if it continues. */
  readonly endReason: ActivationEnd | null;
}

/** The events of one scored hop. */
export interface HopEvents {
  readonly frames: AuFrame[];
  readonly activations: AuActivation[];
}

/** (12), in the order of ACTION_UNITS: the config's thresholds, else the model's own. */
export function effectiveThresholds(model: AuModel, options: InferOptions): Float32Array {
  return model.thresholds.map((own, au) => options.thresholds[AU_NAMES[au]!] ?? own);
}

/**
 * Serializable state of a track between two hops, about 3 kB. The window is not part of it: another process refills it
 * from the crops.
 */
export interface TrackState {
  /** Frame number; -1 before the first scored frame. */
  readonly lastScoredFrame: number;
  readonly smoother: SmootherState;
  readonly activations: ActivationState;
}

/**
 * Window, smoothing and activations of one face track. A gap ends all three, and so does an equally long time without a
 * reliable crop.
 */
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
  /** Frames up to this one were scored by another process: they only refill the window. */
  readonly #restoredUpTo: number;

  /** `state`: resumes a track of another process; the frames of its window are appended again first. */
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

  /** The state after the newest finished hop. */
  state(): TrackState {
    return {
      lastScoredFrame: this.#lastScoredFrame,
      smoother: this.#smoother.state(),
      activations: this.#activations.state(),
    };
  }

  /** Appends the track's next face with its embedding, (D) or null if unreliable. Returns the hops that are due. */
  append(face: FaceStamp, embedding: Float32Array | null): Hop[] {
    const due: Hop[] = [];
    const threshold = gapThreshold(this.#options.gapSeconds, face.interval);
    if (this.#lastReliableTime !== null && face.captureTime - this.#lastReliableTime > threshold) {
      due.push(this.#takeHop(face.captureTime - this.#lastCaptureTime! > threshold ? 'gap' : 'unreliable'));
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

  /** Ends the track. Returns the hop of its remaining frames, which may be none. */
  end(reason: ActivationEnd): Hop {
    return this.#takeHop(reason);
  }

  /** Ends the track without scoring the frames that wait for their hop. Returns the hop without them, and their number. */
  discard(reason: ActivationEnd): { readonly hop: Hop; readonly dropped: number } {
    const hop = this.#takeHop(reason);
    return { hop: { ...hop, faces: [], embeddings: null }, dropped: hop.faces.length };
  }

  /** Turns a hop's scores into events. `scores`: (hop, 12), of the newest frames of the hop's window, or null. */
  finish(hop: Hop, scores: Float32Array | null, inferredAt: Micros): HopEvents {
    const frames: AuFrame[] = [];
    const activations: AuActivation[] = [];
    this.#lastScoredFrame = hop.faces.at(-1)?.frame ?? this.#lastScoredFrame;
    const emit = (smoothed: SmoothedScores) => {
      const frame = this.#toEvent(smoothed, inferredAt);
      frames.push(frame);
      activations.push(...this.#activations.push(frame));
    };
    hop.faces.forEach((face, index) => {
      const row = this.#model.hop - hop.faces.length + index;
      const reliable = scores !== null && face.quality.unreliable === null;
      const raw = reliable ? scores.slice(row * AU_COUNT, (row + 1) * AU_COUNT) : null;
      const scored: AuScores = { face, warmup: hop.warmup, raw };
      this.#smoother.push(scored).forEach(emit);
    });
    if (hop.endReason) {
      this.#smoother.end().forEach(emit);
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
