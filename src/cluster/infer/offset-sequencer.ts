import type { GroupReader } from '../../kafka/group-reader.ts';
import { log } from '../../log.ts';

export interface OffsetSequencerEvents {
  /** Records were deleted before they were read. */
  expired(records: number): void;
  /** The topic was deleted or has lost records: it ends before the next offset. */
  rewound(): void;
}

/** How long one look at the end of the partition may take. */
const CHECK_MS = 2_000;

/**
 * Input side of a partition: decides which record is processed next. Accepts records in offset order, each once. The
 * offsets of the crops topic are contiguous except where retention deleted records. librdkafka has been seen to skip
 * records after a pause, so missing offsets are fetched once more before they count as deleted.
 *
 * `CommitWatermark` is the output side (which offset may be committed), `WindowOffsets` the offsets of one track.
 */
export class OffsetSequencer {
  readonly #partition: number;
  readonly #reader: GroupReader;
  readonly #events: OffsetSequencerEvents;
  /** The offset to accept next; null accepts any. */
  #next: number | null;
  /** The last missing offset that was fetched once more. */
  #refetched: number | null = null;
  #refetching = false;
  #checking = false;

  constructor(partition: number, reader: GroupReader, next: number | null, events: OffsetSequencerEvents) {
    this.#partition = partition;
    this.#reader = reader;
    this.#next = next;
    this.#events = events;
  }

  /** Whether the record at `offset` is to be processed now. */
  accepts(offset: number): boolean {
    const next = this.#next;
    if (next !== null && offset < next) {
      this.#checkEnd(next);
      return false;
    }
    if (next !== null && offset > next) {
      if (this.#refetched !== next) {
        this.#refetch(next);
        return false;
      }
      this.#events.expired(offset - next);
      log.warn(
        { partition: this.#partition, from: next, to: offset },
        `partition ${this.#partition}: crops expired before they were scored`,
      );
    }
    this.#next = offset + 1;
    return true;
  }

  /** A record from before the next one is a repetition, or the topic was created anew. */
  #checkEnd(next: number): void {
    if (this.#checking) return;
    this.#checking = true;
    this.#reader.range(this.#partition, CHECK_MS).then(
      ({ end }) => {
        this.#checking = false;
        if (end < next) this.#events.rewound();
      },
      () => {
        this.#checking = false;
      },
    );
  }

  #refetch(offset: number): void {
    if (this.#refetching) return;
    this.#refetching = true;
    log.debug({ partition: this.#partition, offset }, 'offsets are missing; fetching them again');
    this.#reader.seek(this.#partition, offset).then(
      () => {
        this.#refetching = false;
        this.#refetched = offset;
      },
      () => {
        // The next message triggers another attempt.
        this.#refetching = false;
      },
    );
  }
}
