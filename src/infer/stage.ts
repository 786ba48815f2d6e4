import { diagnostics, nowMicros } from '../diagnostics.ts';
import type { ActivationEnd, AuActivation, AuFrame } from '../domain/event.ts';
import { CROP_BYTES, type FaceCrop, type FrameFaces } from '../domain/face.ts';
import { AU_COUNT } from '../domain/scores.ts';
import { type TrackKey, trackKey } from '../domain/track-key.ts';
import { AustreamError } from '../errors.ts';
import type { AuModel } from './engine/index.ts';
import type { InferOptions } from './options.ts';
import { InferenceQueue, type QueueItem } from './queue.ts';
import { type Hop, type HopEvents, TrackInference, type TrackState } from './track.ts';

export interface InferSink {
  frames(frames: readonly AuFrame[]): void | Promise<void>;
  activations(activations: readonly AuActivation[]): void | Promise<void>;
  /** Crops of a live camera lost because the model could not keep up. */
  dropped(cameraId: string, crops: number): void;
  /** A hop of a track is done; `frames` and `activations` hear of its events next. */
  hop?(hop: ScoredHop): void;
}

/** All that one hop of one track gave. */
export interface ScoredHop extends HopEvents {
  readonly track: TrackKey;
  /** The track after this hop. */
  readonly state: TrackState;
  /** Set when no window goes on after this hop. */
  readonly endReason: ActivationEnd | null;
  /** The stage has forgotten the track. */
  readonly trackClosed: boolean;
}

/** Windows in one run of the window encoders; bounds their memory. */
const MAX_WINDOW_BATCH = 8;

/**
 * Crops of all cameras in, events out. One batch at a time: its crops are embedded together, the hops that become
 * due are scored together, and their events are given out in each track's order.
 */
export class InferStage {
  /** Rejects when the model fails; nothing is scored after that. */
  readonly failed: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #model: AuModel;
  readonly #options: InferOptions;
  readonly #sink: InferSink;
  readonly #queue: InferenceQueue;
  readonly #tracks = new Map<string, TrackInference>();
  #roomWanted: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  /** What the model has given so far. */
  #answers = 0;

  constructor(model: AuModel, options: InferOptions, sink: InferSink) {
    this.#model = model;
    this.#options = options;
    this.#sink = sink;
    this.#queue = new InferenceQueue(options.maxWaiting);
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    // Whoever watches `failed` sees it; one that does not must not bring the process down by it.
    promise.catch(() => {});
  }

  /** Crops that wait for the model. */
  get queuedCrops(): number {
    return this.#queue.cropCount;
  }

  /** Those among them that are of live cameras, and go when more come than fit. */
  get queuedLiveCrops(): number {
    return this.#queue.liveCropCount;
  }

  /** Files wait for room; of live cameras the oldest crops go when there is none. */
  async push(faces: FrameFaces): Promise<void> {
    for (const crop of faces.crops) {
      if (crop.clockSource !== 'file') {
        if (this.#queue.full) this.#dropOldest();
      } else while (this.#queue.nearlyFull) await this.#room();
      this.#queue.add({ kind: 'crop', crop, since: performance.now() });
    }
    for (const trackId of faces.endedTracks) this.endTrack({ ...faces, trackId }, 'track_ended');
    this.#wake();
  }

  /** Scores what is left of the epoch's tracks, then forgets them. */
  endEpoch(cameraId: string, epoch: number, reason: ActivationEnd = 'epoch_ended'): Promise<void> {
    return this.#barrier(() => {
      const prefix = `${cameraId}/${epoch}/`;
      return this.#endTracks(
        [...this.#tracks.keys()].filter((key) => key.startsWith(prefix)),
        reason,
      );
    });
  }

  /** Scores what is left of one track, then forgets it, in turn with the crops that wait. */
  endTrack(track: TrackKey, reason: ActivationEnd): void {
    this.#addBarrier(() => this.#endTracks([trackKey(track)], reason), false);
    this.#wake();
  }

  /**
   * Takes up a track that was scored elsewhere up to `state.scored`. The crops of its window come next, once more, and
   * give no events.
   */
  restoreTrack(track: TrackKey, state: TrackState): void {
    this.#tracks.set(trackKey(track), new TrackInference(track, this.#model, this.#options, state));
  }

  /** Forgets all that waits, unscored. */
  discardQueue(): void {
    this.#queue.takeBatch(Number.POSITIVE_INFINITY);
  }

  /** Scores everything that waits. Hops that are not full yet go on waiting. */
  flush(): Promise<void> {
    return this.#barrier(() => {});
  }

  /**
   * From now on, until what it returns is called, the stage fails with ENGINE_FAILED when the model has given nothing for
   * `ms` while it was asked. A slow model may take any number of answers.
   */
  watchForStall(ms: number): () => void {
    const asked = () => (this.#running ? this.#answers : null);
    let before = asked();
    const timer = setInterval(() => {
      if (before !== null && before === asked()) this.#fail(hangs(ms));
      before = asked();
    }, ms);
    return () => clearInterval(timer);
  }

  #barrier(run: () => void | Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#addBarrier(async () => {
      await run();
      resolve();
    }, true);
    this.#wake();
    return Promise.race([promise, this.failed]);
  }

  #addBarrier(run: () => void | Promise<void>, urgent: boolean): void {
    this.#queue.add({ kind: 'barrier', run, urgent });
  }

  async #room(): Promise<void> {
    this.#wake();
    while (this.#queue.nearlyFull)
      await Promise.race([new Promise<void>((resolve) => this.#roomWanted.push(resolve)), this.failed]);
  }

  #dropOldest(): void {
    const gone = this.#queue.dropOldest();
    if (gone) this.#sink.dropped(gone.cameraId, 1);
  }

  #wake(): void {
    if (this.#running) return;
    clearTimeout(this.#timer);
    const { max, deadlineMs } = this.#options.batch;
    const due = this.#queue.nearlyFull ? 0 : this.#queue.msUntilDue(max, deadlineMs, performance.now());
    if (due === null) return;
    if (due > 0) {
      // Files come by count alone, so that the same file always gives the same batches.
      if (Number.isFinite(due)) this.#timer = setTimeout(() => this.#wake(), due);
      return;
    }
    this.#running = true;
    // The number of crops behind a leading barrier depends on timing, so they form a batch of their own.
    this.#batch(this.#queue.takeBatch(this.#queue.barrierFirst ? 0 : max))
      .then(() => {
        this.#running = false;
        this.#wake();
      })
      .catch(this.#fail);
  }

  async #batch(items: readonly QueueItem[]): Promise<void> {
    const wanted = this.#roomWanted;
    this.#roomWanted = [];
    for (const resolve of wanted) resolve();
    const embeddings = await this.#embed(items);
    let hops: Hop[] = [];
    for (const item of items) {
      if (item.kind === 'crop') {
        const { pixels: _, ...face } = item.crop;
        hops.push(...this.#track(item.crop).append(face, embeddings.get(item.crop) ?? null));
      } else {
        await this.#score(hops);
        hops = [];
        await item.run();
      }
    }
    await this.#score(hops);
  }

  /** Embeddings of the batch's reliable crops; the others have nothing that a model should see. */
  async #embed(items: readonly QueueItem[]): Promise<Map<FaceCrop, Float32Array>> {
    const crops = items.flatMap((item) =>
      item.kind === 'crop' && item.crop.quality.unreliable === null ? [item.crop] : [],
    );
    if (crops.length === 0) return new Map();
    const pixels = new Uint8Array(crops.length * CROP_BYTES);
    crops.forEach((crop, index) => {
      pixels.set(crop.pixels, index * CROP_BYTES);
    });
    const d = this.#model.embeddingSize;
    const from = nowMicros();
    const rows = await this.#model.encode(pixels, crops.length);
    this.#answers += 1;
    if (diagnostics.encoded.hasSubscribers) {
      const waits = items.map((item) =>
        item.kind === 'crop' ? from / 1_000 - performance.timeOrigin - item.since : 0,
      );
      diagnostics.encoded.publish({ from, to: nowMicros(), faces: crops, longestWaitMs: Math.max(...waits) });
    }
    return new Map(crops.map((crop, index) => [crop, rows.subarray(index * d, (index + 1) * d)]));
  }

  async #endTracks(keys: readonly string[], reason: ActivationEnd): Promise<void> {
    const hops = keys.flatMap((key) => this.#tracks.get(key)?.end(reason) ?? []);
    for (const key of keys) this.#tracks.delete(key);
    await this.#score(hops);
  }

  /** Scores hops together and gives their events out in order. */
  async #score(hops: readonly Hop[]): Promise<void> {
    for (let from = 0; from < hops.length; from += MAX_WINDOW_BATCH) {
      const some = hops.slice(from, from + MAX_WINDOW_BATCH);
      const began = nowMicros();
      const windows = some.flatMap((hop) => hop.embeddings ?? []);
      const scores = await this.#scores(windows);
      if (diagnostics.scored.hasSubscribers && windows.length > 0) {
        const faces = some.flatMap((hop) => hop.faces);
        diagnostics.scored.publish({ from: began, to: nowMicros(), faces, windows: windows.length });
      }
      const inferredAt = Date.now() * 1_000;
      for (const hop of some) {
        const { track, endReason } = hop;
        const events = track.finish(hop, hop.embeddings && scores.shift()!, inferredAt);
        this.#sink.hop?.({
          ...events,
          track: track.id,
          state: track.state(),
          endReason,
          trackClosed: this.#tracks.get(trackKey(track.id)) !== track,
        });
        if (events.frames.length > 0) await this.#sink.frames(events.frames);
        if (events.activations.length > 0) await this.#sink.activations(events.activations);
      }
    }
  }

  /** (hop, 12) of each window: its newest frames. */
  async #scores(windows: readonly Float32Array[]): Promise<Float32Array[]> {
    if (windows.length === 0) return [];
    const size = this.#model.windowSize * this.#model.embeddingSize;
    const batch = new Float32Array(windows.length * size);
    windows.forEach((window, index) => {
      batch.set(window, index * size);
    });
    const scores = await this.#model.scoreNewest(batch, windows.length);
    this.#answers += 1;
    const each = this.#model.hop * AU_COUNT;
    return windows.map((_, index) => scores.slice(index * each, (index + 1) * each));
  }

  #track({ cameraId, epoch, trackId }: TrackKey): TrackInference {
    const id = { cameraId, epoch, trackId };
    const key = trackKey(id);
    let track = this.#tracks.get(key);
    if (!track) {
      track = new TrackInference(id, this.#model, this.#options);
      this.#tracks.set(key, track);
    }
    return track;
  }
}

function hangs(ms: number): AustreamError {
  return new AustreamError(
    'ENGINE_FAILED',
    `the model gave nothing for ${ms / 1000} s; what waited for it is lost`,
    { fix: 'start again, with another infer.device where it happens again' },
  );
}
