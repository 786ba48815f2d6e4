import { monotonicMs } from '../clock.ts';
import { AgeMarks } from './age-marks.ts';
import { Fifo } from './fifo.ts';
import type { MemoryBudget, MemoryUser } from './memory-budget.ts';

/** A message to publish. `seq` numbers the messages of an outbox; with a spool it goes on across restarts. */
export interface OutboxEntry {
  readonly seq: number;
  readonly topic: string;
  readonly key: string;
  /** Null: a tombstone, which deletes the key's earlier records from a compacted topic. */
  readonly value: Buffer | null;
  /** Overrides the partition that the key's hash gives. Not stored on disk. */
  readonly partition?: number | undefined;
  /** An object of the owner's, passed back in `delivered` and `dropped`. Not stored on disk. */
  readonly context?: unknown;
}

/** `disk_full`: no space or quota left. `disk_error`: any other error of the disk. */
export type DiskFailure = 'disk_full' | 'disk_error';

/** A queue on disk: appended and read in order, released when the brokers have acknowledged. `Spool` implements it. */
export interface DiskQueue {
  /** Messages that `next` has not returned yet. */
  readonly waiting: number;
  /** The newest seq ever appended, also by an earlier process. */
  readonly lastSeq: number;
  /** Why the disk refused the last write; null if it did not. */
  readonly failure: DiskFailure | null;
  /**
   * Messages up to `sentSeq` were already handed to the producer. Returns how many of `entries` are stored, from the first
   * on: fewer than all if the disk refuses the rest.
   */
  append(entries: readonly OutboxEntry[], sentSeq: number): number;
  /** Drops the oldest messages to make room; false if there is nothing to drop. */
  dropOldest(cause: 'disk_full'): boolean;
  /** The next message after `sentSeq`; null if there is none. */
  next(sentSeq: number): OutboxEntry | null;
  /** The brokers have acknowledged all messages up to `throughSeq`. */
  release(throughSeq: number): void;
}

/** A message that the producer has. The producer passes the same object to `delivered` or `rejected`. */
export interface InFlightMessage {
  readonly entry: OutboxEntry;
  settled: boolean;
}

export interface OutboxLimits {
  /** Limits of messages and bytes in flight. */
  readonly windowMessages: number;
  readonly windowBytes: number;
  /** Of bytes that wait in memory, on top of those in flight. */
  readonly memory: MemoryBudget;
  /** Messages acknowledged between two calls of `release`, which costs a system call or more. */
  readonly releaseEvery: number;
}

export interface OutboxEvents {
  /** Hands a message to the producer; false if the producer accepts none at present. */
  send(message: InFlightMessage): boolean;
  delivered(entry: OutboxEntry): void;
  dropped(entry: OutboxEntry, cause: string): void;
}

/** Estimated memory of a message besides its value: the object, the key, librdkafka's own record. */
const OVERHEAD_BYTES = 512;
/** Messages in flight while the brokers are unreachable: enough to detect that they are back. */
const PROBE_MESSAGES = 64;
/** A disk that refused a write is tried again after this many further bytes in memory. */
const DISK_RETRY_BYTES = 256 * 1024;

/**
 * Holds messages in order until the brokers have acknowledged them: up to a window in flight (in librdkafka's queue),
 * then in bounded memory, then on disk. While the brokers are unreachable, all unacknowledged messages are on disk, if
 * there is a disk queue. Without one, the oldest messages that wait in memory are dropped when memory is full. What the
 * disk refuses waits in memory; when memory is full, the oldest messages on disk are dropped, then those in memory.
 *
 *   returned ─▶ disk ─▶ memory ─▶ in flight ─▶ delivered          (order of sending, oldest first)
 *
 * New messages enter memory. While the disk queue is in use they go on to the disk at once.
 */
export class Outbox implements MemoryUser {
  readonly #limits: OutboxLimits;
  readonly #events: OutboxEvents;
  readonly #disk: DiskQueue | null;
  /** Messages that a lost producer returned: older than those on disk, whose reader is past them. */
  readonly #returned = new Fifo<OutboxEntry>();
  /** Messages that are newer than all on disk. */
  readonly #memory = new Fifo<OutboxEntry>();
  readonly #ages = new AgeMarks();
  /** In order of sending. Settled messages are removed when they reach the front. */
  #inFlight = new Fifo<InFlightMessage>();
  #inFlightMessages = 0;
  #inFlightBytes = 0;
  /** Of `#returned` and `#memory`. */
  #memoryBytes = 0;
  #lastSeq: number;
  /** Highest seq ever handed to the producer. */
  #sentSeq = 0;
  /** Messages up to here were acknowledged or on disk when the disk queue was last written. */
  #diskSeq: number;
  /** The disk queue is in use. */
  #spooling: boolean;
  #unreachable = false;
  /** The disk is tried again when memory has this many bytes. */
  #diskRetryBytes = 0;
  /** Read from disk, not sent yet. */
  #readAhead: OutboxEntry | null = null;
  #sinceRelease = 0;
  #paused = true;
  #filling = false;
  /** Resolvers of `drained`. */
  readonly #drainWaiters: (() => void)[] = [];

  constructor(limits: OutboxLimits, events: OutboxEvents, disk: DiskQueue | null) {
    this.#limits = limits;
    this.#events = events;
    this.#disk = disk;
    this.#spooling = disk !== null && disk.waiting > 0;
    this.#lastSeq = this.#diskSeq = disk?.lastSeq ?? 0;
    if (this.#spooling) this.#ages.added(this.#lastSeq, monotonicMs());
    limits.memory.join(this);
  }

  /** Messages that are not acknowledged yet. */
  get pending(): number {
    return this.#inFlightMessages + this.waiting;
  }

  /** Messages that are not in flight: in memory or on disk. */
  get waiting(): number {
    const onDisk = (this.#spooling ? this.#disk!.waiting : 0) + (this.#readAhead ? 1 : 0);
    return this.#returned.length + onDisk + this.#memory.length;
  }

  /** Bytes that wait in memory. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Age of the oldest message that is not acknowledged; null without one. */
  get oldestSeconds(): number | null {
    if (this.pending === 0) return null;
    const oldest = this.#inFlight.peek()?.entry.seq ?? this.#returned.peek()?.seq ?? this.#sentSeq + 1;
    return this.#ages.oldestSeconds(oldest, monotonicMs());
  }

  /** New messages go to disk. */
  get spooling(): boolean {
    return this.#spooling;
  }

  get inFlight(): number {
    return this.#inFlightMessages;
  }

  /** Never blocks, and never throws when full: the oldest messages are dropped. */
  add(messages: readonly Omit<OutboxEntry, 'seq'>[]): void {
    const allOnDisk = this.#spooling && this.#diskSeq === this.#lastSeq;
    // Not a spread, which is several times slower.
    const entries = messages.map(({ topic, key, value, partition, context }) => {
      this.#lastSeq += 1;
      return { seq: this.#lastSeq, topic, key, value, partition, context };
    });
    this.#ages.added(this.#lastSeq, monotonicMs());
    const written = allOnDisk ? this.#append(this.#disk!, entries) : 0;
    for (let index = written; index < entries.length; index += 1) this.#pushToMemory(entries[index]!);
    if (this.#spooling && !allOnDisk && this.#memoryBytes >= this.#diskRetryBytes)
      this.#moveToDisk(this.#disk!);
    this.fillWindow();
    this.#limits.memory.enforce();
  }

  /** A producer is connected: sending starts. */
  resume(): void {
    this.#paused = false;
    this.fillWindow();
  }

  /** The producer was lost: unacknowledged messages return to the front of the queue, for the next producer. */
  pause(): void {
    this.#paused = true;
    const unsettled = [...this.#unsettled()];
    this.#inFlight = new Fifo();
    this.#inFlightMessages = 0;
    this.#inFlightBytes = 0;
    for (const entry of unsettled.reverse()) {
      this.#returned.unshift(entry);
      this.#memoryBytes += cost(entry);
    }
  }

  /** No broker can be reached: all unacknowledged messages are written to disk, where they outlive this process. */
  brokersUnreachable(): void {
    this.#unreachable = true;
    if (this.#disk) this.#moveToDisk(this.#disk);
  }

  /** The brokers have acknowledged the message. */
  delivered(message: InFlightMessage): void {
    this.#unreachable = false;
    if (!this.#settle(message)) return;
    this.#events.delivered(message.entry);
    this.#afterSettled();
  }

  /** The brokers will never accept the message: it is dropped. */
  rejected(message: InFlightMessage, cause: string): void {
    if (!this.#settle(message)) return;
    this.#events.dropped(message.entry, cause);
    this.#afterSettled();
  }

  /** Resolves with true when all messages are acknowledged, with false after `timeoutMs`. */
  drained(timeoutMs: number): Promise<boolean> {
    if (this.pending === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#drainWaiters.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  /**
   * Writes unacknowledged messages to disk. Those that cannot be written are dropped: with `cause`, or with the disk's
   * failure. Nothing may be added afterwards.
   */
  close(cause: string): void {
    this.pause();
    if (this.#disk) this.#moveToDisk(this.#disk);
    while (this.#disk?.failure === 'disk_full' && this.#disk.dropOldest('disk_full'))
      this.#moveToDisk(this.#disk);
    for (let entry = this.#shift(); entry; entry = this.#shift())
      if (!this.#disk) this.#events.dropped(entry, cause);
      else if (entry.seq > this.#diskSeq) this.#events.dropped(entry, this.#disk.failure ?? cause);
  }

  /** Called when memory is full. */
  relieve(bytes: number): void {
    const limit = this.#memoryBytes - bytes;
    const disk = this.#disk;
    if (disk) {
      this.#moveToDisk(disk);
      while (this.#memoryBytes > limit && this.#memory.length > 0 && disk.failure === 'disk_full') {
        if (!disk.dropOldest('disk_full')) break;
        this.#moveToDisk(disk);
      }
    }
    // Messages that a lost producer returned may be on disk: they stay.
    const queue = () => (disk || this.#returned.length === 0 ? this.#memory : this.#returned);
    while (this.#memoryBytes > limit && queue().length > 0)
      this.#events.dropped(this.#shiftFrom(queue())!, disk?.failure ?? 'kafka_away');
  }

  /** Sends messages until the window is full, the oldest first. */
  fillWindow(): void {
    if (this.#paused || this.#filling) return;
    this.#filling = true;
    const maxMessages = this.#unreachable ? PROBE_MESSAGES : this.#limits.windowMessages;
    while (this.#inFlightMessages < maxMessages && this.#inFlightBytes < this.#limits.windowBytes) {
      const entry = this.#returned.peek() ?? this.#readDisk() ?? this.#memory.peek();
      if (!entry || !this.#send(entry)) break;
    }
    this.#filling = false;
  }

  #readDisk(): OutboxEntry | null {
    if (!this.#spooling) return null;
    this.#readAhead ??= this.#disk!.next(this.#sentSeq);
    // All messages on disk are in flight: new messages may follow directly.
    if (!this.#readAhead && !this.#unreachable) this.#spooling = false;
    return this.#readAhead;
  }

  #send(entry: OutboxEntry): boolean {
    const message: InFlightMessage = { entry, settled: false };
    if (!this.#events.send(message)) return false;
    if (entry === this.#readAhead) this.#readAhead = null;
    else this.#shift();
    this.#inFlight.push(message);
    this.#inFlightMessages += 1;
    this.#inFlightBytes += cost(entry);
    this.#sentSeq = Math.max(this.#sentSeq, entry.seq);
    return true;
  }

  #pushToMemory(entry: OutboxEntry): void {
    this.#memory.push(entry);
    this.#memoryBytes += cost(entry);
  }

  /** Removes the oldest message that waits in memory. */
  #shift(): OutboxEntry | undefined {
    return this.#shiftFrom(this.#returned.length > 0 ? this.#returned : this.#memory);
  }

  #shiftFrom(queue: Fifo<OutboxEntry>): OutboxEntry | undefined {
    const entry = queue.shift();
    if (entry) this.#memoryBytes -= cost(entry);
    return entry;
  }

  /** False if the message is already settled. */
  #settle(message: InFlightMessage): boolean {
    if (message.settled) return false;
    message.settled = true;
    this.#inFlightMessages -= 1;
    this.#inFlightBytes -= cost(message.entry);
    while (this.#inFlight.peek()?.settled) this.#inFlight.shift();
    return true;
  }

  *#unsettled(): Generator<OutboxEntry> {
    for (const { entry, settled } of this.#inFlight) if (!settled) yield entry;
  }

  /** Writes all messages to disk that are neither acknowledged nor there yet, and removes them from memory. */
  #moveToDisk(disk: DiskQueue): void {
    const unsaved = this.#unsaved();
    if (this.#append(disk, unsaved) === unsaved.length) this.#diskSeq = this.#lastSeq;
    this.#spooling = true;
  }

  #unsaved(): OutboxEntry[] {
    if (this.#diskSeq === this.#lastSeq) return [];
    const isUnsaved = (entry: OutboxEntry) => entry.seq > this.#diskSeq;
    return [...this.#unsettled(), ...this.#returned, ...this.#memory].filter(isUnsaved);
  }

  /** Writes messages to disk, the oldest first. Returns how many the disk took. */
  #append(disk: DiskQueue, unsaved: readonly OutboxEntry[]): number {
    const written = disk.append(unsaved, this.#sentSeq);
    if (written > 0) this.#diskSeq = unsaved[written - 1]!.seq;
    while ((this.#memory.peek()?.seq ?? Infinity) <= this.#diskSeq) this.#shiftFrom(this.#memory);
    this.#diskRetryBytes = written === unsaved.length ? 0 : this.#memoryBytes + DISK_RETRY_BYTES;
    return written;
  }

  #afterSettled(): void {
    this.#sinceRelease += 1;
    if (this.#disk && (this.#sinceRelease >= this.#limits.releaseEvery || this.pending === 0)) {
      this.#sinceRelease = 0;
      const oldest = this.#inFlight.peek()?.entry.seq ?? this.#returned.peek()?.seq;
      this.#disk.release(oldest === undefined ? this.#sentSeq : Math.min(oldest - 1, this.#sentSeq));
    }
    this.fillWindow();
    if (this.pending === 0) for (const resolve of this.#drainWaiters.splice(0)) resolve();
  }
}

/** Estimated bytes in memory. */
function cost(entry: OutboxEntry): number {
  return (entry.value?.length ?? 0) + OVERHEAD_BYTES;
}
