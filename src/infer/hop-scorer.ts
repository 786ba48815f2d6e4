import { measureSpan, wallMicros } from '../clock.ts';
import { diagnostics } from '../diagnostics.ts';
import type { ActivationEnd, AuActivation, AuFrame } from '../domain/event.ts';
import { AU_COUNT } from '../domain/scores.ts';
import type { TrackKey } from '../domain/track-key.ts';
import type { AuModel } from './engine/index.ts';
import type { Hop, HopEvents, TrackInference, TrackState } from './track.ts';

/** The result of one hop of one track. */
export interface ScoredHop extends HopEvents {
  readonly track: TrackKey;
  /** State of the track after this hop. */
  readonly state: TrackState;
  /** Not null if the window ends with this hop. */
  readonly endReason: ActivationEnd | null;
  /** This was the track's last hop. */
  readonly trackClosed: boolean;
}

export interface HopSink {
  frames(frames: readonly AuFrame[]): void | Promise<void>;
  activations(activations: readonly AuActivation[]): void | Promise<void>;
  /** A hop of a track is scored. Called before `frames` and `activations` receive its events. */
  hop?(hop: ScoredHop): void;
}

/** Windows in one run of the window encoders; bounds their memory. */
const MAX_WINDOW_BATCH = 8;

/** Runs the window encoders over hops and emits their events in order. */
export class HopScorer {
  readonly #model: AuModel;
  readonly #sink: HopSink;
  readonly #isOpen: (track: TrackInference) => boolean;
  readonly #onResult: () => void;

  /** `isOpen`: whether more frames of the track may follow. `onResult`: called after each result of the model. */
  constructor(
    model: AuModel,
    sink: HopSink,
    { isOpen, onResult }: { isOpen: (track: TrackInference) => boolean; onResult: () => void },
  ) {
    this.#model = model;
    this.#sink = sink;
    this.#isOpen = isOpen;
    this.#onResult = onResult;
  }

  /** Scores hops together, at most `MAX_WINDOW_BATCH` at a time. Resolves when the sink has taken their events. */
  async score(hops: readonly Hop[]): Promise<void> {
    for (let start = 0; start < hops.length; start += MAX_WINDOW_BATCH) {
      const batch = hops.slice(start, start + MAX_WINDOW_BATCH);
      const span = measureSpan();
      const windows = batch.flatMap((hop) => hop.embeddings ?? []);
      const scores = await this.#scoreWindows(windows);
      if (diagnostics.scored.hasSubscribers && windows.length > 0) {
        const faces = batch.flatMap((hop) => hop.faces);
        diagnostics.scored.publish({ ...span(), faces, windows: windows.length });
      }
      const inferredAt = wallMicros();
      for (const hop of batch) await this.#emit(hop, hop.embeddings && scores.shift()!, inferredAt);
    }
  }

  /** Windows (256, D) each → (hop, 12) each: the scores of their newest frames. */
  async #scoreWindows(windows: readonly Float32Array[]): Promise<Float32Array[]> {
    if (windows.length === 0) return [];
    const size = this.#model.windowSize * this.#model.embeddingSize;
    const batch = new Float32Array(windows.length * size);
    windows.forEach((window, index) => {
      batch.set(window, index * size);
    });
    const scores = await this.#model.scoreNewest(batch, windows.length);
    this.#onResult();
    const scoresPerWindow = this.#model.hop * AU_COUNT;
    return windows.map((_, index) => scores.slice(index * scoresPerWindow, (index + 1) * scoresPerWindow));
  }

  async #emit(hop: Hop, scores: Float32Array | null, inferredAt: number): Promise<void> {
    const { track, endReason } = hop;
    const events = track.finish(hop, scores, inferredAt);
    this.#sink.hop?.({
      ...events,
      track: track.id,
      state: track.state(),
      endReason,
      trackClosed: !this.#isOpen(track),
    });
    if (events.frames.length > 0) await this.#sink.frames(events.frames);
    if (events.activations.length > 0) await this.#sink.activations(events.activations);
  }
}
