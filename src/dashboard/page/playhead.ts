import { monotonicMs, wallMs } from '../../clock.ts';
import { HEARTBEAT_MS } from '../protocol.ts';

const MIN_DELAY_MS = 300;
const MAX_DELAY_MS = 120_000;
/** How fast the playhead may speed up or slow down to follow a changed delay, ms per ms. */
const SLEW = 0.1;
/** If the delay changes by more than this, the playhead jumps. */
const JUMP_MS = 2_000;
/** The playhead goes on for this long after the newest message. */
const BETWEEN_MESSAGES_MS = 1.5 * HEARTBEAT_MS;
/** The delay follows the greatest lateness of this window. */
const LATENESS_WINDOW_MS = 10_000;

/**
 * The moment that the page shows. Scores arrive in bursts (one hop of frames at a time); like a jitter buffer, the
 * playhead delays them so that they play at the pace at which they were filmed.
 */
export class Playhead {
  /** Server clock minus `monotonicMs()`, ms. */
  #offset = Number.NEGATIVE_INFINITY;
  /** Server time of the newest message, ms. */
  #newest = Number.NEGATIVE_INFINITY;
  #delay = 1_000;
  #lateness: { at: number; late: number }[] = [];
  #lastTick = monotonicMs();
  /** The moment at which the user stopped the playhead; null: live. */
  #held: number | null = null;

  /** Call per message: `now` is its server time, `late` the age that the page's newest sample had reached, ms. */
  observe(now: number, late: number): void {
    const localNow = monotonicMs();
    this.#offset = Math.max(this.#offset - 0.01, now - localNow);
    this.#newest = now;
    this.#lateness.push({ at: localNow, late: Math.min(late, MAX_DELAY_MS) });
    this.#lateness = this.#lateness.filter(({ at }) => at > localNow - LATENESS_WINDOW_MS);
  }

  get serverNow(): number {
    return Number.isFinite(this.#offset) ? monotonicMs() + this.#offset : wallMs();
  }

  /** False before the first message. */
  get started(): boolean {
    return Number.isFinite(this.#newest);
  }

  /** Server time of the newest message, ms. */
  get newest(): number {
    return this.#newest;
  }

  /** Age of the newest message, ms: grows while nothing arrives, and when messages arrive ever later. */
  get behind(): number {
    return this.started ? this.serverNow - this.#newest : 0;
  }

  /** The end of what the page can know, ms on the server's clock. */
  get known(): number {
    return this.started ? Math.min(this.serverNow, this.#newest + BETWEEN_MESSAGES_MS) : this.serverNow;
  }

  /** Advances by one animation frame. */
  tick(): void {
    const localNow = monotonicMs();
    const target = Math.max(MIN_DELAY_MS, ...this.#lateness.map(({ late }) => late + 50));
    const change = target - this.#delay;
    const limit = Math.abs(change) > JUMP_MS ? MAX_DELAY_MS : (localNow - this.#lastTick) * SLEW;
    this.#delay += Math.min(limit, Math.max(-limit, change));
    this.#lastTick = localNow;
  }

  get live(): boolean {
    return this.#held === null;
  }

  /** The moment shown, ms on the server's clock. */
  get shown(): number {
    return this.#held ?? this.known - this.#delay;
  }

  /** Shows a past moment (ms on the server's clock), or returns to live (null). */
  hold(time: number | null): void {
    this.#held = time;
  }
}
