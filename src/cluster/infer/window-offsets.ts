/** Where a track's window begins in the crops topic. */
export interface WindowStart {
  /** Of the record that holds the window's first crop. */
  readonly offset: number;
  readonly frame: number;
}

interface CropPosition extends WindowStart {
  readonly reliable: boolean;
}

/**
 * Remembers where the crops of one track's window stand in the topic, as `TrackWindow` fills it: from the first
 * reliable crop on, one row per crop, where an unreliable crop holds the row before it.
 */
export class WindowOffsets {
  readonly #size: number;
  /** Crops of this window that may still be needed, oldest first, then those that no hop has scored. */
  #crops: CropPosition[] = [];

  /** `size`: rows of a window (256). */
  constructor(size: number) {
    this.#size = size;
  }

  append(crop: CropPosition): void {
    this.#crops.push(crop);
  }

  /** Where the window ending with `frame` begins; null while it has no reliable crop. Forgets what lies before. */
  windowStart(frame: number): WindowStart | null {
    let end = this.#crops.findIndex((crop) => crop.frame > frame);
    if (end < 0) end = this.#crops.length;
    const first = this.#crops.findIndex((crop) => crop.reliable);
    if (first < 0 || first >= end) return null;
    let start = Math.max(first, end - this.#size);
    // The oldest row may hold the crop before it.
    while (!this.#crops[start]!.reliable) start -= 1;
    this.#crops.splice(0, start);
    const { offset, frame: from } = this.#crops[0]!;
    return { offset, frame: from };
  }

  /** The window broke after `frame`: what comes later starts a new one. */
  discardThrough(frame: number): void {
    const end = this.#crops.findIndex((crop) => crop.frame > frame);
    this.#crops.splice(0, end < 0 ? this.#crops.length : end);
  }
}
