/** The records of files that are on their way to the brokers. Files wait while there are more than `limit`. */
export class FileWindow {
  readonly #limit: number;
  #underWay = 0;
  #waiters: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  sent(): void {
    this.#underWay += 1;
  }

  /** The brokers have acknowledged a record, or it is lost. */
  settled(): void {
    this.#underWay -= 1;
    if (this.#underWay > this.#limit) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  /** Resolves when at most `limit` records are under way, whatever live cameras send meanwhile. */
  async room(): Promise<void> {
    // Checked again after the wait: another file may have taken the room.
    while (this.#underWay > this.#limit)
      await new Promise<void>((resolve) => void this.#waiters.push(resolve));
  }
}
