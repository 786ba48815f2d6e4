import { Fifo } from './fifo.ts';

/** Messages of one mark arrived within this time: the precision of the age. */
const MARK_MS = 1000;

/** Remembers when messages arrived, one mark a second, to tell the age of the oldest one. */
export class AgeMarks {
  /** `seq`: the newest message of the mark. */
  readonly #marks = new Fifo<{ seq: number; readonly at: number }>();
  #last: { seq: number; readonly at: number } | null = null;

  added(seq: number, now: number): void {
    if (this.#last && now - this.#last.at < MARK_MS) this.#last.seq = seq;
    else {
      this.#last = { seq, at: now };
      this.#marks.push(this.#last);
    }
  }

  /** Age in seconds of message `oldestSeq`, before which all are settled. */
  oldestSeconds(oldestSeq: number, now: number): number {
    for (let mark = this.#marks.peek(); mark && mark.seq < oldestSeq; mark = this.#marks.peek())
      this.#marks.shift();
    const mark = this.#marks.peek();
    if (!mark) this.#last = null;
    return mark ? (now - mark.at) / 1000 : 0;
  }
}
