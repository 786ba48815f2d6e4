/** Admits a given share of the frames, evenly spaced, and sheds the others. */
export class LoadShedder {
  /** Share of the frames to admit, 0…1. */
  share = 1;
  #credit = 0;

  /** True if the frame is admitted. `minimumShare` is admitted in any case. */
  admit(minimumShare = 0): boolean {
    this.#credit = Math.min(2, this.#credit + Math.max(minimumShare, this.share));
    // The tolerance keeps rounding from costing a frame when the share is a third.
    if (this.#credit < 1 - 1e-9) return false;
    this.#credit -= 1;
    return true;
  }
}
