import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS = { first: 100, max: 5_000 };
/** What goes on is told of again this often. */
const TELL_MS = 60_000;

/** Waits between tries of something, longer each time, and says when somebody should hear of it: at first, then rarely. */
export class Patience {
  #wait = WAIT_MS.first;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** A wait, cut short by `closing`. */
  async wait(tell: () => void, closing?: AbortSignal): Promise<void> {
    const now = performance.now();
    if (now - this.#toldAt >= TELL_MS) {
      this.#toldAt = now;
      tell();
    }
    const wait = this.#wait * (0.5 + Math.random() / 2);
    this.#wait = Math.min(2 * this.#wait, WAIT_MS.max);
    await sleep(wait, undefined, { ref: false, ...(closing && { signal: closing }) }).catch(() => {});
  }

  /** It worked: the next wait is short again. */
  reset(): void {
    this.#wait = WAIT_MS.first;
  }
}
