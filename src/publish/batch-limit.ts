/** Each split makes batches this many times smaller: from 10,000 messages to one in four steps. */
const FACTOR = 10;

/** How many messages a batch may have: fewer after the topic refused a batch as too large. */
export class BatchLimit {
  readonly #max: number;
  #messages: number;

  constructor(max: number) {
    this.#max = max;
    this.#messages = max;
  }

  get messages(): number {
    return this.#messages;
  }

  /** False if batches already have one message: that message itself is too large. */
  get canSplit(): boolean {
    return this.#messages > 1;
  }

  reduce(): void {
    this.#messages = Math.max(1, Math.floor(this.#messages / FACTOR));
  }

  /** After a single message was too large: the others need not be alone. */
  grow(): void {
    this.#messages = Math.min(this.#max, this.#messages * FACTOR);
  }
}
