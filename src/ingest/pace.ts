/** Lets an even share of what comes pass. */
export class Pace {
  /** 0…1. */
  share = 1;
  #credit = 0;

  admit(): boolean {
    // The tolerance keeps thirds from losing a frame to rounding.
    this.#credit = Math.min(2, this.#credit + this.share);
    if (this.#credit < 1 - 1e-9) return false;
    this.#credit -= 1;
    return true;
  }
}
