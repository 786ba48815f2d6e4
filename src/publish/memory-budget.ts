/** What shares a `MemoryBudget`. */
export interface MemoryUser {
  /** Bytes that wait in memory. */
  readonly memoryBytes: number;
  /** Gives memory back: at least `bytes`, if it can. */
  relieve(bytes: number): void;
}

/** A limit of memory that several outboxes share: past it, the one that uses most gives some back. */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly #users: MemoryUser[] = [];

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  join(user: MemoryUser): void {
    this.#users.push(user);
  }

  /** Called after memory was taken. */
  enforce(): void {
    let excess = this.#excess();
    if (excess <= 0) return;
    for (const user of this.#users.toSorted((a, b) => b.memoryBytes - a.memoryBytes)) {
      user.relieve(excess);
      excess = this.#excess();
      if (excess <= 0) return;
    }
  }

  #excess(): number {
    return this.#users.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) - this.limitBytes;
  }
}
