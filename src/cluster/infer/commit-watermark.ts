/**
 * Output side of a partition: the commit watermark, which is the offset below which every record is processed. Hops of
 * several tracks complete out of order, so the newest processed offset cannot be committed. A record stays open until
 * `done` was called once for `add` and once for each `hold`.
 *
 * `OffsetSequencer` is the input side (which record is processed next), `WindowOffsets` the offsets of one track.
 */
export class CommitWatermark {
  /** Open records in offset order, with the number of outstanding `done` calls. */
  readonly #open = new Map<number, number>();
  #end: number;

  /** `start`: every record before this offset is processed. */
  constructor(start: number) {
    this.#end = start;
  }

  /** A record arrives. Offsets that are processed already are ignored. */
  add(offset: number): void {
    if (offset < this.#end) return;
    this.#open.set(offset, 1);
    this.#end = offset + 1;
  }

  /** Keeps an open record open until one more `done`. */
  hold(offset: number): void {
    const open = this.#open.get(offset);
    if (open !== undefined) this.#open.set(offset, open + 1);
  }

  /** Completes the `add` or one `hold` of an open record. */
  done(offset: number): void {
    const open = this.#open.get(offset);
    if (open === undefined) return;
    if (open > 1) this.#open.set(offset, open - 1);
    else this.#open.delete(offset);
  }

  /** The next offset to arrive. */
  get end(): number {
    return this.#end;
  }

  /** The offset to commit: the oldest open record, or the next one to arrive. */
  get next(): number {
    return this.#open.keys().next().value ?? this.#end;
  }
}
