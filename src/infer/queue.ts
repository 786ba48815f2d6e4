import type { FaceCrop } from '../domain/face.ts';

/** One entry of the queue in front of the model: a crop, or a barrier that runs only after every crop before it. */
export type QueueItem = QueuedCrop | QueuedBarrier;

export interface QueuedCrop {
  readonly kind: 'crop';
  readonly crop: FaceCrop;
  /** `monotonicMs()` when the crop was queued. */
  readonly queuedAt: number;
}

export interface QueuedBarrier {
  readonly kind: 'barrier';
  readonly run: () => void | Promise<void>;
  /** Someone waits for it: the next batch does not wait for more crops. */
  readonly urgent: boolean;
}

/**
 * Bounded first-in, first-out queue of the crops of all cameras in front of the model. A batch is due when `max` crops
 * are queued, when the oldest crop has waited `deadlineMs`, when a barrier is first, or when an urgent barrier is
 * queued.
 */
export class InferenceQueue {
  readonly #capacity: number;
  #items: QueueItem[] = [];
  #cropCount = 0;
  #liveCropCount = 0;
  #urgentBarriers = 0;

  /** `capacity`: crops. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get cropCount(): number {
    return this.#cropCount;
  }

  /** Crops of live sources. */
  get liveCropCount(): number {
    return this.#liveCropCount;
  }

  get full(): boolean {
    return this.#cropCount >= this.#capacity;
  }

  /** Half full. Files wait from here on: the other half is reserved for live sources, which cannot wait. */
  get nearlyFull(): boolean {
    return 2 * this.#cropCount >= this.#capacity;
  }

  get barrierFirst(): boolean {
    return this.#items[0]?.kind === 'barrier';
  }

  add(item: QueueItem): void {
    this.#items.push(item);
    if (item.kind === 'crop') this.#cropCount += 1;
    else if (item.urgent) this.#urgentBarriers += 1;
    if (isLiveCrop(item)) this.#liveCropCount += 1;
  }

  /**
   * Drops the oldest crop of the live camera with the most queued crops, so that no camera starves another. Returns
   * null if no live crop is queued.
   */
  dropOldest(): FaceCrop | null {
    const counts = new Map<string, number>();
    for (const item of this.#items)
      if (isLiveCrop(item)) counts.set(item.crop.cameraId, (counts.get(item.crop.cameraId) ?? 0) + 1);
    const [busiest] = [...counts].sort(([, a], [, b]) => b - a);
    const index = this.#items.findIndex((item) => isLiveCrop(item) && item.crop.cameraId === busiest?.[0]);
    if (index < 0) return null;
    const [dropped] = this.#items.splice(index, 1);
    this.#cropCount -= 1;
    this.#liveCropCount -= 1;
    return dropped?.kind === 'crop' ? dropped.crop : null;
  }

  /** Removes the crops for which `isUnwanted` holds; returns their number. */
  removeCrops(isUnwanted: (crop: FaceCrop) => boolean): number {
    const kept = this.#items.filter((item) => item.kind !== 'crop' || !isUnwanted(item.crop));
    const removed = this.#items.length - kept.length;
    this.#items = kept;
    this.#cropCount -= removed;
    this.#liveCropCount = kept.filter(isLiveCrop).length;
    return removed;
  }

  /** Milliseconds until a batch is due (0: now), or null if the queue is empty. */
  msUntilDue(max: number, deadlineMs: number, now: number): number | null {
    if (this.#urgentBarriers > 0 || this.#cropCount >= max) return 0;
    const first = this.#items[0];
    if (!first) return null;
    return first.kind === 'barrier' ? 0 : Math.max(0, first.queuedAt + deadlineMs - now);
  }

  /** Removes and returns the next items, with at most `max` crops among them. */
  takeBatch(max: number): QueueItem[] {
    let crops = 0;
    let end = 0;
    for (; end < this.#items.length; end += 1) {
      if (this.#items[end]!.kind === 'crop' && crops === max) break;
      if (this.#items[end]!.kind === 'crop') crops += 1;
    }
    const batch = this.#items.splice(0, end);
    this.#cropCount -= crops;
    this.#liveCropCount -= batch.filter(isLiveCrop).length;
    this.#urgentBarriers -= batch.filter((item) => item.kind === 'barrier' && item.urgent).length;
    return batch;
  }
}

function isLiveCrop(item: QueueItem): item is QueuedCrop {
  return item.kind === 'crop' && item.crop.clockSource !== 'file';
}
