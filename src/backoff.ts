import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS = { first: 100, max: 5_000 };
/** What goes on is told again this often. */
const TELL_MS = 60_000;

/** Waits between tries of something, longer each time. `tell` hears why: at first, then rarely. */
export class Backoff {
  readonly #tell: (why: string) => void;
  #wait = WAIT_MS.first;
  #told = { why: '', at: Number.NEGATIVE_INFINITY };

  constructor(tell: (why: string) => void) {
    this.#tell = tell;
  }

  /** Waits; `closing` cuts it short. */
  async wait(why: string, closing?: AbortSignal): Promise<void> {
    const at = performance.now();
    if (why !== this.#told.why || at - this.#told.at >= TELL_MS) {
      this.#told = { why, at };
      this.#tell(why);
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
