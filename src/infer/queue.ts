import type { FaceCrop } from '../domain/face.ts';

/** One entry of the queue in front of the model: a crop, or a barrier that runs only after every crop before it. */
export type QueueItem =
  | { readonly kind: 'crop'; readonly crop: FaceCrop; readonly since: number }
  | { readonly kind: 'barrier'; readonly run: () => void | Promise<void>; readonly urgent: boolean };

/**
 * Crops of all cameras on their way to the model: first in, first out, bounded. A batch is due when `max` crops
 * wait, when the oldest has waited `deadlineMs`, when a barrier is first, or when an urgent barrier is queued.
 */
export class InferenceQueue {
  readonly #capacity: number;
  #items: QueueItem[] = [];
  #cropCount = 0;
  #liveCropCount = 0;
  #urgentBarriers = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get cropCount(): number {
    return this.#cropCount;
  }

  /** Those among them that no camera could give again. */
  get liveCropCount(): number {
    return this.#liveCropCount;
  }

  get full(): boolean {
    return this.#cropCount >= this.#capacity;
  }

  /** Files fill no more than half: the rest is for cameras, which cannot wait. */
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
    if (isLive(item)) this.#liveCropCount += 1;
  }

  /** Drops the oldest crop of the live camera that has most of them waiting, so that no camera starves another. */
  dropOldest(): FaceCrop | null {
    const counts = new Map<string, number>();
    for (const item of this.#items)
      if (isLive(item)) counts.set(item.crop.cameraId, (counts.get(item.crop.cameraId) ?? 0) + 1);
    const [busiest] = [...counts].sort(([, a], [, b]) => b - a);
    const at = this.#items.findIndex((item) => isLive(item) && item.crop.cameraId === busiest?.[0]);
    if (at < 0) return null;
    const [gone] = this.#items.splice(at, 1);
    this.#cropCount -= 1;
    this.#liveCropCount -= 1;
    return gone?.kind === 'crop' ? gone.crop : null;
  }

  /** Milliseconds until a batch is due (0: now), or null while there is nothing to wait for. */
  msUntilDue(max: number, deadlineMs: number, now: number): number | null {
    if (this.#urgentBarriers > 0 || this.#cropCount >= max) return 0;
    const first = this.#items[0];
    if (!first) return null;
    return first.kind === 'barrier' ? 0 : Math.max(0, first.since + deadlineMs - now);
  }

  /** The next items, with at most `max` crops among them. */
  takeBatch(max: number): QueueItem[] {
    let crops = 0;
    let end = 0;
    for (; end < this.#items.length; end += 1) {
      if (this.#items[end]!.kind === 'crop' && crops === max) break;
      if (this.#items[end]!.kind === 'crop') crops += 1;
    }
    const taken = this.#items.splice(0, end);
    this.#cropCount -= crops;
    this.#liveCropCount -= taken.filter(isLive).length;
    this.#urgentBarriers -= taken.filter((item) => item.kind === 'barrier' && item.urgent).length;
    return taken;
  }
}

function isLive(item: QueueItem): item is Extract<QueueItem, { kind: 'crop' }> {
  return item.kind === 'crop' && item.crop.clockSource !== 'file';
}
