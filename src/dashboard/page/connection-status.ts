import { HEARTBEAT_MS } from '../protocol.ts';
import { byId, clockTime, setText } from './dom.ts';
import type { Playhead } from './playhead.ts';

/** The newest message of a live page is not older than this, ms. */
const STALE_MS = 4 * HEARTBEAT_MS;

/** Whether the page is live, and what it says when it is not. */
export class ConnectionStatus {
  readonly #playhead: Playhead;
  /** What keeps the page from its server; null while there is a connection. */
  #trouble: string | null = 'connecting…';
  #ended = false;

  constructor(playhead: Playhead) {
    this.#playhead = playhead;
  }

  connected(): void {
    this.#trouble = null;
    this.show();
  }

  lost(reason: string): void {
    this.#trouble = `${reason}, trying again`;
    this.show();
  }

  /** The session has ended: nothing is shown any more. */
  ended(): void {
    this.#trouble = 'signed out';
    this.#ended = true;
    this.show();
  }

  /** There is a connection, and what it brings is new. False also when it is silent or too slow. */
  get live(): boolean {
    return this.#trouble === null && this.#playhead.behind < STALE_MS;
  }

  /** Time of day of the newest message. */
  get asOf(): string {
    return clockTime(this.#playhead.newest);
  }

  show(): void {
    const { live } = this;
    const status = byId<HTMLElement>('connection');
    status.dataset.ok = String(live);
    setText(status, live ? 'connected' : (this.#trouble ?? 'connection silent or too slow'));
    const notice = byId<HTMLElement>('not-live');
    notice.hidden = live || this.#ended || !this.#playhead.started;
    if (!notice.hidden) setText(notice, `Nothing here is live. What is shown is from ${this.asOf}.`);
  }
}
