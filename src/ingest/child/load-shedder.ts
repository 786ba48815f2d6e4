/** Lets an even share of what comes pass. */
export class LoadShedder {
  /** 0…1. */
  share = 1;
  #credit = 0;

  /** `least`: the share that passes in any case. */
  admit(least = 0): boolean {
    // The tolerance keeps thirds from losing a frame to rounding.
    this.#credit = Math.min(2, this.#credit + Math.max(least, this.share));
    if (this.#credit < 1 - 1e-9) return false;
    this.#credit -= 1;
    return true;
  }
}
