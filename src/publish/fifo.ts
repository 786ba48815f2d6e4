/** A first-in-first-out queue; every operation takes constant time on average. */
export class Fifo<T> {
  /** Items put back at the front; the next one is last. */
  #front: T[] = [];
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#front.length + this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Puts an item back at the front. */
  unshift(item: T): void {
    this.#front.push(item);
  }

  peek(): T | undefined {
    return this.#front.at(-1) ?? this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.#front.length > 0) return this.#front.pop();
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head]!;
    this.#head += 1;
    // Free the consumed half of the array: amortised constant cost per item.
    if (this.#head * 2 >= this.#items.length && (this.#head >= 1024 || this.#head === this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  *[Symbol.iterator](): Iterator<T> {
    yield* this.#front.toReversed();
    yield* this.#items.slice(this.#head);
  }
}
