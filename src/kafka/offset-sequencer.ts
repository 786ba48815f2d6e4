import { log } from '../log.ts';
import type { GroupReader } from './group-reader.ts';

/**
 * Lets a partition's records pass in the order of their offsets, each once. Offsets of crops have no holes but where
 * records expired; librdkafka has been seen to skip some after a pause, so a hole is asked for again before it is
 * believed.
 */
export class OffsetSequencer {
  readonly #partition: number;
  readonly #reader: GroupReader;
  readonly #expired: (records: number) => void;
  /** The offset that comes next; null takes whichever. */
  #next: number | null;
  /** A hole that has been asked for. */
  #refetched: number | null = null;
  #refetching = false;

  constructor(
    partition: number,
    reader: GroupReader,
    next: number | null,
    /** So many records went before they came here. */
    expired: (records: number) => void,
  ) {
    this.#partition = partition;
    this.#reader = reader;
    this.#next = next;
    this.#expired = expired;
  }

  /** Whether this is the record that comes next. */
  accepts(offset: number): boolean {
    const next = this.#next;
    if (next !== null && offset < next) return false;
    if (next !== null && offset > next) {
      if (this.#refetched !== next) {
        this.#refetch(next);
        return false;
      }
      this.#expired(offset - next);
      log.warn(
        { partition: this.#partition, from: next, to: offset },
        `partition ${this.#partition}: crops expired before they were scored`,
      );
    }
    this.#next = offset + 1;
    return true;
  }

  #refetch(offset: number): void {
    if (this.#refetching) return;
    this.#refetching = true;
    log.debug({ partition: this.#partition, offset }, 'a record was skipped: asking again');
    this.#reader.seek(this.#partition, offset).then(
      () => {
        this.#refetching = false;
        this.#refetched = offset;
      },
      () => {
        // The next message tries again.
        this.#refetching = false;
      },
    );
  }
}
