import { encodeOwnerNote, type OwnerNote, type TakeOver } from './owner-note.ts';

/** The note as one transaction carries it. */
export interface PendingNote {
  readonly value: Buffer;
  readonly version: number;
}

/**
 * Keeps one record from killing every worker in turn. Holds the owner's note during one ownership of a partition:
 * changes of the note become durable with the owner's next transaction, and whoever must not go on before that waits
 * here. `owner-note.ts` decides what the note says after a death.
 */
export class PoisonGuard {
  /** Whether the note with which the ownership begins is durable; false if the ownership ended before. */
  readonly opened: Promise<boolean>;
  readonly newlySetAside: number | null;
  /** The group's committed offset when the ownership began. */
  readonly committed: number;
  /** Resolves when the ownership ends. */
  readonly abandoned: Promise<void>;
  readonly #abandon: () => void;
  readonly #setAside: ReadonlySet<number>;
  readonly #changed: () => void;
  #note: OwnerNote;
  /** Counts the changes of the note. */
  #version = 1;
  #takenVersion = 0;
  #waiters: { readonly version: number; readonly resolve: (durable: boolean) => void }[] = [];
  #ended = false;

  /** `committed`: the group's committed offset. `changed`: the note must become durable soon. */
  constructor({ note, newlySetAside }: TakeOver, committed: number, changed: () => void) {
    this.#note = note;
    this.committed = committed;
    this.newlySetAside = newlySetAside;
    this.#setAside = new Set(note.setAside);
    this.#changed = changed;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.abandoned = promise;
    this.#abandon = resolve;
    this.opened = this.durable();
  }

  /** Someone waits for the next transaction. */
  get urgent(): boolean {
    return this.#waiters.length > 0;
  }

  /** Workers died on the record: it must not be processed. */
  isSetAside(offset: number): boolean {
    return this.#setAside.has(offset);
  }

  /** An owner may have died on the record: it is processed alone, between `begin` and `end`. */
  isSuspect(offset: number): boolean {
    const { aloneUntil, deaths } = this.#note;
    // Records that are read again were processed before; they are suspects only if the others explain nothing.
    return aloneUntil !== null && offset < aloneUntil && (offset >= this.committed || deaths > 1);
  }

  /** The record is handed to processing. */
  accept(offset: number): void {
    if (offset < this.#note.position) return;
    this.#note = { ...this.#note, position: offset + 1 };
    this.#version += 1;
  }

  /** Resolves with true when it is durable that the record is being processed; false: it must not be processed now. */
  begin(offset: number): Promise<boolean> {
    this.#set({ reading: offset });
    return this.durable();
  }

  /** The note of `begin` did not become durable in time: the record is not processed now. */
  cancel(): void {
    this.#set({ reading: null });
  }

  /** The record of `begin` is processed. Resolves when that is durable, or when the ownership ends. */
  end(): Promise<boolean> {
    this.#set({ reading: null });
    return this.durable();
  }

  /** The last note of this ownership. After a failure of the model the successor reads it as a death. */
  release(modelFailed: boolean): void {
    if (modelFailed) return;
    this.#set({ owner: null, reading: null });
  }

  /** What the next transaction must carry; null: nothing has changed since the last one. */
  take(): PendingNote | null {
    if (this.#takenVersion === this.#version) return null;
    this.#takenVersion = this.#version;
    return { value: encodeOwnerNote(this.#note), version: this.#version };
  }

  /** The transaction with this note is committed. */
  confirm({ version }: PendingNote): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => waiter.version > version);
    for (const waiter of waiters) if (waiter.version <= version) waiter.resolve(true);
  }

  /** The ownership ends: nothing becomes durable any more. */
  abandon(): void {
    this.#ended = true;
    this.#abandon();
    for (const { resolve } of this.#waiters.splice(0)) resolve(false);
  }

  /** Resolves with true when the present note is durable, with false when the ownership ends before. */
  async durable(): Promise<boolean> {
    if (this.#ended) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiters.push({ version: this.#version, resolve });
    this.#changed();
    return promise;
  }

  #set(change: Partial<OwnerNote>): void {
    this.#note = { ...this.#note, ...change };
    this.#version += 1;
  }
}
