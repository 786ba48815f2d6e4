const MIN_DELAY = 300;
const MAX_DELAY = 120_000;
/** How fast the playhead may run ahead or behind to follow a changed delay, ms per ms. */
const SLEW = 0.1;
/** A delay that changed by more is followed at once. */
const JUMP_MS = 2_000;

/**
 * Which moment the page shows. Scores come in bursts (a hop of frames at a time); shown at the pace at which they
 * were filmed, a little late, they flow. The lateness follows the longest silence seen in the last seconds.
 */
export class Playhead {
  #offset = Number.NEGATIVE_INFINITY;
  #delay = 1_000;
  #wanted: { at: number; late: number }[] = [];
  #last = performance.now();
  /** Null: live. */
  #held: number | null = null;

  /** Takes a message's server time, and how old what the page knew had become by then. */
  heard(now: number, late: number): void {
    const here = performance.now();
    this.#offset = Math.max(this.#offset - 0.01, now - here);
    this.#wanted.push({ at: here, late: Math.min(late, MAX_DELAY) });
    this.#wanted = this.#wanted.filter(({ at }) => at > here - 10_000);
  }

  get serverNow(): number {
    return Number.isFinite(this.#offset) ? performance.now() + this.#offset : Date.now();
  }

  /** Moves on by one animation frame. */
  tick(): void {
    const here = performance.now();
    const wanted = Math.max(MIN_DELAY, ...this.#wanted.map(({ late }) => late + 50));
    const change = wanted - this.#delay;
    const most = Math.abs(change) > JUMP_MS ? MAX_DELAY : (here - this.#last) * SLEW;
    this.#delay += Math.min(most, Math.max(-most, change));
    this.#last = here;
  }

  get live(): boolean {
    return this.#held === null;
  }

  /** The moment shown, ms on the server's clock. */
  get shown(): number {
    return this.#held ?? this.serverNow - this.#delay;
  }

  /** Shows a moment of the past, or goes on live (null). */
  hold(time: number | null): void {
    this.#held = time;
  }
}
