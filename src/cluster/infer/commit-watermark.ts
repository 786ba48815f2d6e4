/** The offsets of one partition that are being dealt with: tells up to where everything is done. */
export class CommitWatermark {
  /** By offset, in order, how many things of that record are not done yet. */
  readonly #open = new Map<number, number>();
  #end: number;

  /** `start`: everything before it is done. */
  constructor(start: number) {
    this.#end = start;
  }

  /** A record begins; `done` ends it. Offsets below the start are dealt with already and count for nothing. */
  add(offset: number): void {
    if (offset < this.#end) return;
    this.#open.set(offset, 1);
    this.#end = offset + 1;
  }

  /** One more thing of a record is to be waited for. */
  hold(offset: number): void {
    const open = this.#open.get(offset);
    if (open !== undefined) this.#open.set(offset, open + 1);
  }

  done(offset: number): void {
    const open = this.#open.get(offset);
    if (open === undefined) return;
    if (open > 1) this.#open.set(offset, open - 1);
    else this.#open.delete(offset);
  }

  /** The first offset that is not done. */
  get next(): number {
    return this.#open.keys().next().value ?? this.#end;
  }
}
