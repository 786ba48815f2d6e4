/** What became of an item: its receiver is done with it, or left before. */
export type Outcome = 'done' | 'left';

/** Hands items from a producer that calls to a consumer that asks, one at a time, with an answer. */
export class Rendezvous<T> {
  #item: { item: T; answer: (outcome: Outcome) => void } | null = null;
  #wake: (() => void) | null = null;
  #ended = false;
  #failure: unknown;

  /** Resolves when the receiver is done with the item. */
  offer(item: T): Promise<Outcome> {
    if (this.#ended) return Promise.resolve('left');
    return new Promise((answer) => {
      this.#item = { item, answer };
      this.#wake?.();
    });
  }

  /** The item on offer, or the next one; null at the end. Rejects with what `fail` was given. */
  async take(): Promise<T | null> {
    while (!this.#item && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#ended ? null : this.#item!.item;
  }

  /** The receiver is done with the item that it took. */
  done(): void {
    const item = this.#item;
    this.#item = null;
    item?.answer('done');
  }

  /** No further item is taken; one on offer is answered with `left`. */
  end(failure?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#item?.answer('left');
    this.#item = null;
    this.#wake?.();
  }
}
