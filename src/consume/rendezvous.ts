/** `acknowledged`: the receiver has processed the item. `closed`: it has not, the channel was closed first. */
export type Outcome = 'acknowledged' | 'closed';

/**
 * A channel of capacity zero: one item at a time passes from a sender to a receiver, and the sender waits for the
 * acknowledgement. This turns kafkajs's callbacks into an async iterator without a queue between them.
 */
export class Rendezvous<T> {
  #offered: { item: T; answer: (outcome: Outcome) => void } | null = null;
  #wakeReceiver: (() => void) | null = null;
  #closed = false;
  #error: unknown;

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Resolves when the receiver has acknowledged the item, or the channel is closed. */
  send(item: T): Promise<Outcome> {
    if (this.#closed) return Promise.resolve('closed');
    return new Promise((answer) => {
      this.#offered = { item, answer };
      this.#wakeReceiver?.();
    });
  }

  /** The offered item, or the next one; null when the channel is closed. Rejects with the error given to `close`. */
  async receive(): Promise<T | null> {
    while (!this.#offered && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wakeReceiver = resolve;
      });
      this.#wakeReceiver = null;
    }
    if (this.#error !== undefined) throw this.#error;
    return this.#closed ? null : this.#offered!.item;
  }

  /** The receiver has processed the item that it received. */
  acknowledge(): void {
    const offered = this.#offered;
    this.#offered = null;
    offered?.answer('acknowledged');
  }

  /** Ends the channel; an offered item that is not acknowledged yet is answered with `closed`. */
  close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#offered?.answer('closed');
    this.#offered = null;
    this.#wakeReceiver?.();
  }
}
