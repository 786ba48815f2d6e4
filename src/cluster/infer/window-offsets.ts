/** Where a track's window begins in the crops topic. */
export interface WindowStart {
  /** Offset of the record that holds the window's first crop. */
  readonly offset: number;
  readonly frame: number;
}

interface CropPosition extends WindowStart {
  readonly reliable: boolean;
}

/**
 * Offsets of the crops in one track's window: a new owner reads from the window's start to refill it, although these
 * records were committed before. Follows `TrackWindow`: the window starts at the first reliable crop and has one row a
 * crop; an unreliable crop repeats the row before it.
 *
 * `OffsetSequencer` and `CommitWatermark` are about a whole partition: which record is processed next, and which offset
 * may be committed.
 */
export class WindowOffsets {
  readonly #size: number;
  /** Oldest first: crops of the current window, then crops that are not scored yet. */
  #crops: CropPosition[] = [];

  /** `size`: rows of a window (256). */
  constructor(size: number) {
    this.#size = size;
  }

  append(crop: CropPosition): void {
    this.#crops.push(crop);
  }

  /** Where the window that ends with `frame` begins; null if it has no reliable crop. Discards older crops. */
  windowStart(frame: number): WindowStart | null {
    let end = this.#crops.findIndex((crop) => crop.frame > frame);
    if (end < 0) end = this.#crops.length;
    const firstReliable = this.#crops.findIndex((crop) => crop.reliable);
    if (firstReliable < 0 || firstReliable >= end) {
      // No window yet: a face may stay unreliable for days.
      this.#crops.splice(0, end);
      return null;
    }
    let start = Math.max(firstReliable, end - this.#size);
    // The oldest row may repeat an earlier, reliable crop.
    while (!this.#crops[start]!.reliable) start -= 1;
    this.#crops.splice(0, start);
    const { offset, frame: startFrame } = this.#crops[0]!;
    return { offset, frame: startFrame };
  }

  /** The window ends at `frame` (a gap or the track's end): later crops start a new one. */
  discardThrough(frame: number): void {
    const end = this.#crops.findIndex((crop) => crop.frame > frame);
    this.#crops.splice(0, end < 0 ? this.#crops.length : end);
  }
}
