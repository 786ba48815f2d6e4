import { monotonicMs } from '../clock.ts';
import { AgeMarks } from './age-marks.ts';
import { Fifo } from './fifo.ts';
import type { MemoryBudget, MemoryUser } from './memory-budget.ts';

/** A message to publish. `seq` numbers the messages of an outbox; with a spool it goes on across restarts. */
export interface OutboxEntry {
  readonly seq: number;
  readonly topic: string;
  readonly key: string;
  readonly value: Buffer;
  /** Overrides the partition that the key's hash gives. Not stored on disk. */
  readonly partition?: number | undefined;
  /** An object of the owner's, passed back in `delivered` and `dropped`. Not stored on disk. */
  readonly context?: unknown;
}

/** A queue on disk: appended and read in order, released when the brokers have acknowledged. `Spool` implements it. */
export interface DiskQueue {
  /** Messages that `next` has not returned yet. */
  readonly waiting: number;
  /** The newest seq ever appended, also by an earlier process. */
  readonly lastSeq: number;
  /**
   * Messages up to `sentSeq` were already handed to the producer. Returns how many of `entries` are stored, from the first
   * on: fewer if the disk is full.
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
/** Messages that are offered to a full disk at once. */
const TAIL_CHUNK = 256;

/**
 * Holds messages in order until the brokers have acknowledged them: up to a window in flight (in librdkafka's queue),
 * then in bounded memory, then on disk. While the brokers are unreachable, all unacknowledged messages are on disk, if
 * there is a disk queue. Without one, the oldest messages that wait in memory are dropped when memory is full. While the
 * disk is full, newer messages wait in memory behind those on disk (the tail).
 *
 *   add ─▶ memory ─▶ in flight ─▶ delivered
 *     └──▶ disk ────▲                          (while the disk queue is in use, new messages go to disk only)
 *           tail
 */
export class Outbox implements MemoryUser {
  readonly #limits: OutboxLimits;
  readonly #events: OutboxEvents;
  readonly #disk: DiskQueue | null;
  readonly #memory = new Fifo<OutboxEntry>();
  /** Newer than all messages on disk. Empty unless the disk queue is in use. */
  #tail = new Fifo<OutboxEntry>();
  readonly #ages = new AgeMarks();
  /** Messages that were handed to the producer, and that the disk had no room for. */
  readonly #unsaved = new Set<number>();
  /** In order of sending. Settled messages are removed when they reach the front. */
  #inFlight = new Fifo<InFlightMessage>();
  #inFlightMessages = 0;
  #inFlightBytes = 0;
  #memoryBytes = 0;
  #lastSeq: number;
  /** Highest seq ever handed to the producer. */
  #sentSeq = 0;
  /** Messages up to here were acknowledged or on disk when the disk queue was last written. */
  #diskSeq: number;
  /** The disk queue is in use. */
  #spooling: boolean;
  #unreachable = false;
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
    const spooled = this.#spooling ? this.#disk!.waiting + this.#tail.length : 0;
    return this.#memory.length + spooled + (this.#readAhead ? 1 : 0);
  }

  /** Bytes that wait in memory. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Age of the oldest message that is not acknowledged; null without one. */
  get oldestSeconds(): number | null {
    if (this.pending === 0) return null;
    const oldest = this.#inFlight.peek()?.entry.seq ?? this.#memory.peek()?.seq ?? this.#sentSeq + 1;
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
    const entries = messages.map((message) => ({ ...message, seq: ++this.#lastSeq }));
    this.#ages.added(this.#lastSeq, monotonicMs());
    if (this.#spooling) this.#append(this.#disk!, entries);
    else for (const entry of entries) this.#pushToMemory(entry);
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
      this.#memory.unshift(entry);
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

  /** Writes unacknowledged messages to disk, or drops them with `cause`. Nothing may be added afterwards. */
  close(cause: string): void {
    this.pause();
    if (this.#disk) this.#moveToDisk(this.#disk);
    for (const entry of this.#memory)
      if (!this.#disk) this.#events.dropped(entry, cause);
      else if (this.#unsaved.has(entry.seq)) this.#events.dropped(entry, 'disk_full');
    for (const entry of this.#tail) this.#events.dropped(entry, 'disk_full');
  }

  /** Called when memory is full. */
  relieve(bytes: number): void {
    const limit = this.#memoryBytes - bytes;
    if (!this.#disk) {
      while (this.#memoryBytes > limit && this.#memory.length > 0)
        this.#events.dropped(this.#shiftFromMemory()!, 'kafka_away');
      return;
    }
    this.#moveToDisk(this.#disk);
    while (this.#memoryBytes > limit && this.#tail.length > 0)
      if (this.#disk.dropOldest('disk_full')) this.#flushTail(this.#disk);
      else this.#events.dropped(this.#shiftFromTail()!, 'disk_full');
  }

  /** Sends messages until the window is full. Memory comes first: its messages are older than those on disk. */
  fillWindow(): void {
    if (this.#paused || this.#filling) return;
    this.#filling = true;
    const maxMessages = this.#unreachable ? PROBE_MESSAGES : this.#limits.windowMessages;
    while (this.#inFlightMessages < maxMessages && this.#inFlightBytes < this.#limits.windowBytes) {
      const entry = this.#memory.peek() ?? this.#readDisk();
      if (!entry || !this.#send(entry)) break;
    }
    this.#filling = false;
  }

  #readDisk(): OutboxEntry | null {
    if (!this.#spooling) return null;
    this.#readAhead ??= this.#disk!.next(this.#sentSeq);
    if (this.#readAhead) return this.#readAhead;
    // All messages on disk are in flight: newer ones follow directly.
    for (let entry = this.#tail.shift(); entry; entry = this.#tail.shift()) this.#memory.push(entry);
    if (!this.#unreachable || this.#memory.length > 0) this.#spooling = false;
    return this.#memory.peek() ?? null;
  }

  #send(entry: OutboxEntry): boolean {
    const message: InFlightMessage = { entry, settled: false };
    if (!this.#events.send(message)) return false;
    if (entry === this.#readAhead) this.#readAhead = null;
    else this.#shiftFromMemory();
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

  #shiftFromMemory(): OutboxEntry | undefined {
    const entry = this.#memory.shift();
    if (entry) this.#memoryBytes -= cost(entry);
    return entry;
  }

  /** False if the message is already settled. */
  #settle(message: InFlightMessage): boolean {
    if (message.settled) return false;
    message.settled = true;
    this.#inFlightMessages -= 1;
    this.#inFlightBytes -= cost(message.entry);
    this.#unsaved.delete(message.entry.seq);
    while (this.#inFlight.peek()?.settled) this.#inFlight.shift();
    return true;
  }

  *#unsettled(): Generator<OutboxEntry> {
    for (const { entry, settled } of this.#inFlight) if (!settled) yield entry;
  }

  /** Writes all messages to disk that are neither acknowledged nor there yet, and empties the memory queue. */
  #moveToDisk(disk: DiskQueue): void {
    const isUnsaved = (entry: OutboxEntry) => entry.seq > this.#diskSeq;
    if (this.#spooling) this.#flushTail(disk);
    else {
      const unsaved = [...this.#unsettled(), ...this.#memory].filter(isUnsaved);
      const stored = disk.append(unsaved, this.#sentSeq);
      this.#diskSeq = unsaved[stored - 1]?.seq ?? this.#diskSeq;
      for (const { seq } of unsaved.slice(stored)) if (seq <= this.#sentSeq) this.#unsaved.add(seq);
      this.#spooling = true;
    }
    // Messages returned by a lost producer (seq ≤ sentSeq) stay in memory: the reader of the disk queue is past them.
    // Behind them the messages that the disk had no room for become the tail.
    const kept: OutboxEntry[] = [];
    for (let entry = this.#shiftFromMemory(); entry; entry = this.#shiftFromMemory()) kept.push(entry);
    for (const entry of kept)
      if (entry.seq <= this.#sentSeq) this.#pushToMemory(entry);
      else if (isUnsaved(entry)) this.#pushToTail(entry);
  }

  /** Behind the messages on disk: there, or in memory while the disk is full. */
  #append(disk: DiskQueue, entries: readonly OutboxEntry[]): void {
    for (const entry of entries) this.#pushToTail(entry);
    this.#flushTail(disk);
  }

  #flushTail(disk: DiskQueue): void {
    while (this.#tail.length > 0) {
      const chunk = this.#tail.first(TAIL_CHUNK);
      const stored = disk.append(chunk, this.#sentSeq);
      for (let index = 0; index < stored; index += 1) this.#shiftFromTail();
      this.#diskSeq = chunk[stored - 1]?.seq ?? this.#diskSeq;
      if (stored < chunk.length) return;
    }
  }

  #pushToTail(entry: OutboxEntry): void {
    this.#tail.push(entry);
    this.#memoryBytes += cost(entry);
  }

  #shiftFromTail(): OutboxEntry | undefined {
    const entry = this.#tail.shift();
    if (entry) this.#memoryBytes -= cost(entry);
    return entry;
  }

  #afterSettled(): void {
    this.#sinceRelease += 1;
    if (this.#disk && (this.#sinceRelease >= this.#limits.releaseEvery || this.pending === 0)) {
      this.#sinceRelease = 0;
      const oldest = this.#inFlight.peek()?.entry.seq ?? this.#memory.peek()?.seq;
      this.#disk.release(oldest === undefined ? this.#sentSeq : Math.min(oldest - 1, this.#sentSeq));
    }
    this.fillWindow();
    if (this.pending === 0) for (const resolve of this.#drainWaiters.splice(0)) resolve();
  }
}

/** Estimated bytes in memory. */
function cost(entry: OutboxEntry): number {
  return entry.value.length + OVERHEAD_BYTES;
}
