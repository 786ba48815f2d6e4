import type { ActivationEnd } from '../domain/event.ts';
import type { FrameFaces } from '../domain/face.ts';
import { type TrackKey, trackKey } from '../domain/track-key.ts';
import { BatchScheduler } from './batch-scheduler.ts';
import { CropEncoder } from './crop-encoder.ts';
import type { AuModel } from './engine/index.ts';
import { HopScorer, type HopSink } from './hop-scorer.ts';
import type { InferOptions } from './options.ts';
import type { QueueItem } from './queue.ts';
import { StallWatch } from './stall-watch.ts';
import { type Hop, TrackInference, type TrackState } from './track.ts';

export interface InferSink extends HopSink {
  /** Crops of a live camera were dropped because the model could not keep up. */
  dropped(cameraId: string, crops: number): void;
}

/**
 * Crops of all cameras in, events out. For each batch: encode its crops, append the embeddings to their tracks'
 * windows, score the hops that are due, emit their events in each track's order.
 */
export class InferStage {
  readonly #model: AuModel;
  readonly #options: InferOptions;
  readonly #sink: InferSink;
  readonly #scheduler: BatchScheduler;
  readonly #encoder: CropEncoder;
  readonly #scorer: HopScorer;
  readonly #stallWatch: StallWatch;
  readonly #tracks = new Map<string, TrackInference>();

  constructor(model: AuModel, options: InferOptions, sink: InferSink) {
    this.#model = model;
    this.#options = options;
    this.#sink = sink;
    this.#scheduler = new BatchScheduler(options, (items) => this.#processBatch(items));
    this.#stallWatch = new StallWatch(() => this.#scheduler.running);
    const onResult = () => this.#stallWatch.onResult();
    this.#encoder = new CropEncoder(model, onResult);
    this.#scorer = new HopScorer(model, sink, {
      isOpen: (track) => this.#tracks.get(trackKey(track.id)) === track,
      onResult,
    });
  }

  /** Rejects when the model fails or stalls; nothing is scored after that. */
  get failed(): Promise<never> {
    return this.#scheduler.failed;
  }

  /** Crops that wait for the model. */
  get queuedCrops(): number {
    return this.#scheduler.queuedCrops;
  }

  /** Queued crops of live sources, which are dropped when the queue is full. */
  get queuedLiveCrops(): number {
    return this.#scheduler.queuedLiveCrops;
  }

  /**
   * Queues the crops. Resolves when all are queued: files wait for room (backpressure), live sources drop their oldest
   * crops instead. Rejects when the model fails.
   */
  async push(faces: FrameFaces): Promise<void> {
    for (const crop of faces.crops) {
      // Checked again after the wait: another file may have taken the room.
      if (crop.clockSource === 'file') while (this.#scheduler.nearlyFull) await this.#scheduler.waitForRoom();
      const dropped = this.#scheduler.addCrop(crop);
      if (dropped) this.#sink.dropped(dropped.cameraId, 1);
    }
    for (const trackId of faces.endedTracks) this.endTrack({ ...faces, trackId }, 'track_ended');
    this.#scheduler.schedule();
  }

  /** Scores the remaining frames of the epoch's tracks, then removes the tracks. */
  endEpoch(cameraId: string, epoch: number, reason: ActivationEnd = 'epoch_ended'): Promise<void> {
    return this.#scheduler.barrier(() => {
      const prefix = `${cameraId}/${epoch}/`;
      return this.#endTracks(
        [...this.#tracks.keys()].filter((key) => key.startsWith(prefix)),
        reason,
      );
    });
  }

  /**
   * Removes the epoch's tracks without scoring what waits: queued crops, and frames of hops that are not full. Resolves
   * with the number of crops dropped. A batch that is being processed is completed.
   */
  async discardEpoch(cameraId: string, epoch: number): Promise<number> {
    let dropped = this.#scheduler.removeCrops((crop) => crop.cameraId === cameraId && crop.epoch === epoch);
    await this.#scheduler.barrier(async () => {
      const keys = [...this.#tracks.keys()].filter((key) => key.startsWith(`${cameraId}/${epoch}/`));
      const discarded = keys.map((key) => this.#tracks.get(key)!.discard('epoch_ended'));
      for (const key of keys) this.#tracks.delete(key);
      dropped += discarded.reduce((sum, track) => sum + track.dropped, 0);
      await this.#scorer.score(discarded.map(({ hop }) => hop));
    });
    return dropped;
  }

  /** Scores the remaining frames of one track, then removes it, behind the crops that are queued. */
  endTrack(track: TrackKey, reason: ActivationEnd): void {
    this.#scheduler.addBarrier(() => this.#endTracks([trackKey(track)], reason));
  }

  /**
   * Resumes a track that another process scored up to `state.lastScoredFrame`. The caller pushes the crops of the
   * track's window again first; they refill the window and give no events.
   */
  restoreTrack(track: TrackKey, state: TrackState): void {
    this.#tracks.set(trackKey(track), new TrackInference(track, this.#model, this.#options, state));
  }

  /** Discards everything queued, unscored. */
  discardQueue(): void {
    this.#scheduler.discard();
  }

  /** Resolves when every queued crop is processed. Hops that are not full keep waiting for frames. */
  flush(): Promise<void> {
    return this.#scheduler.barrier(() => {});
  }

  /**
   * Until the returned function is called, the stage fails with ENGINE_FAILED if the model returns nothing for `ms`
   * while it has work.
   */
  watchForStall(ms: number): () => void {
    return this.#stallWatch.start(ms, this.#scheduler.fail);
  }

  async #processBatch(items: readonly QueueItem[]): Promise<void> {
    const embeddings = await this.#encoder.encode(items);
    let hops: Hop[] = [];
    for (const item of items) {
      if (item.kind === 'crop') {
        const { pixels: _, ...face } = item.crop;
        hops.push(...this.#openTrack(item.crop).append(face, embeddings.get(item.crop) ?? null));
      } else {
        await this.#scorer.score(hops);
        hops = [];
        await item.run();
      }
    }
    await this.#scorer.score(hops);
  }

  async #endTracks(keys: readonly string[], reason: ActivationEnd): Promise<void> {
    const hops = keys.flatMap((key) => this.#tracks.get(key)?.end(reason) ?? []);
    for (const key of keys) this.#tracks.delete(key);
    await this.#scorer.score(hops);
  }

  #openTrack({ cameraId, epoch, trackId }: TrackKey): TrackInference {
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
