import { Fifo } from './fifo.ts';

/** One message on its way. `seq` orders all messages of one outbox, across restarts where there is a spool. */
export interface OutboxEntry {
  readonly seq: number;
  readonly topic: string;
  readonly key: string;
  readonly value: Buffer;
  /** Overrides what the key says; not kept on disk. */
  readonly partition?: number | undefined;
  /** Whatever the owner wants to have back with the delivery; not kept on disk. */
  readonly context?: unknown;
}

/** Where messages wait on disk: appended in order, read in order, released when the broker has them. */
export interface DiskBacklog {
  /** Messages that `next` has not given yet. */
  readonly waiting: number;
  /** The newest seq that was ever appended, also by an earlier process. */
  readonly lastSeq: number;
  /** `sentSeq`: messages up to it are in the producer's hands already. */
  append(entries: readonly OutboxEntry[], sentSeq: number): void;
  /** The next message after `sentSeq`; null at the end. */
  next(sentSeq: number): OutboxEntry | null;
  /** The broker has everything up to here. */
  release(throughSeq: number): void;
}

/** A message in the producer's hands, which says with the same object what became of it. */
export interface InFlightMessage {
  readonly entry: OutboxEntry;
  settled: boolean;
}

export interface OutboxLimits {
  /** Most messages and bytes in the producer's hands at once. */
  readonly windowMessages: number;
  readonly windowBytes: number;
  /** Most bytes that wait in memory behind that window. */
  readonly memoryBytes: number;
  /** The disk is told what the broker has after so many messages; sooner would cost more than it frees. */
  readonly releaseEvery: number;
}

export interface OutboxEvents {
  /** Hands a message to the producer; false where it takes none at present. */
  send(flight: InFlightMessage): boolean;
  delivered(entry: OutboxEntry): void;
  dropped(entry: OutboxEntry, cause: string): void;
}

/** What a message costs in memory besides its value, roughly: the object, the key, librdkafka's own record. */
const OVERHEAD_BYTES = 512;
/** While brokers are away only so many messages are in the producer's hands, to notice their return. */
const PROBE_MESSAGES = 64;

/**
 * Keeps messages in order from the moment they are handed over until the broker has them: in the producer's
 * hands up to a window, then in bounded memory, then on disk. While brokers are away, everything that they do
 * not have is on disk, if there is a disk backlog.
 *
 *   add ─▶ memory ─▶ in flight ─▶ delivered
 *     └──▶ disk ────▲                          (while the disk is in use, nothing new goes to memory)
 */
export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #events: OutboxEvents;
  readonly #disk: DiskBacklog | null;
  readonly #memory = new Fifo<OutboxEntry>();
  /** In the producer's hands, in order; those that are settled go when they reach the front. */
  #inFlight = new Fifo<InFlightMessage>();
  #inFlightMessages = 0;
  #inFlightBytes = 0;
  #memoryBytes = 0;
  #lastSeq: number;
  /** Highest seq that was ever in the producer's hands. */
  #sentSeq = 0;
  /** Everything up to here that the broker did not have at the time is on disk. */
  #diskSeq = 0;
  #onDisk: boolean;
  #away = false;
  /** Read from disk, not sent yet. */
  #readAhead: OutboxEntry | null = null;
  #sinceRelease = 0;
  #paused = true;
  #pumping = false;
  readonly #idle: (() => void)[] = [];

  constructor(limits: OutboxLimits, events: OutboxEvents, disk: DiskBacklog | null) {
    this.#limits = limits;
    this.#events = events;
    this.#disk = disk;
    this.#onDisk = disk !== null && disk.waiting > 0;
    this.#lastSeq = this.#diskSeq = disk?.lastSeq ?? 0;
  }

  /** Messages that the broker does not have yet. */
  get pending(): number {
    return this.#inFlightMessages + this.waiting;
  }

  /** Messages that are not in the producer's hands yet. */
  get waiting(): number {
    return this.#memory.length + (this.#onDisk ? this.#disk!.waiting : 0) + (this.#readAhead ? 1 : 0);
  }

  get spooling(): boolean {
    return this.#onDisk;
  }

  get inFlight(): number {
    return this.#inFlightMessages;
  }

  /** Takes messages over. Never waits and never throws for want of room: the oldest go. */
  add(messages: readonly Omit<OutboxEntry, 'seq'>[]): void {
    const entries = messages.map((message) => ({ ...message, seq: ++this.#lastSeq }));
    if (this.#onDisk) {
      this.#disk!.append(entries, this.#sentSeq);
      this.#diskSeq = this.#lastSeq;
    } else {
      for (const entry of entries) this.#remember(entry);
    }
    this.fillWindow();
    if (this.#memoryBytes > this.#limits.memoryBytes) this.#overflow();
  }

  /** The producer is there: what waits may go. */
  resume(): void {
    this.#paused = false;
    this.fillWindow();
  }

  /** The producer is gone: what it has not delivered goes again, to the next one, in order. */
  pause(): void {
    this.#paused = true;
    const again = [...this.#unsettled()];
    this.#inFlight = new Fifo();
    this.#inFlightMessages = 0;
    this.#inFlightBytes = 0;
    for (const entry of again.reverse()) {
      this.#memory.unshift(entry);
      this.#memoryBytes += cost(entry);
    }
  }

  /** Brokers cannot be reached: what they do not have goes to disk, where it outlives this process. */
  brokersUnreachable(): void {
    this.#away = true;
    if (this.#disk) this.#toDisk(this.#disk);
  }

  delivered(flight: InFlightMessage): void {
    this.#away = false;
    if (!this.#settle(flight)) return;
    this.#events.delivered(flight.entry);
    this.#proceed();
  }

  rejected(flight: InFlightMessage, cause: string): void {
    if (!this.#settle(flight)) return;
    this.#events.dropped(flight.entry, cause);
    this.#proceed();
  }

  /** Resolves when the broker has everything; false when `timeoutMs` was over before. */
  drained(timeoutMs: number): Promise<boolean> {
    if (this.pending === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  /** Puts what is left on disk, or counts it as lost. Nothing may be added afterwards. */
  close(cause: string): void {
    if (this.#disk) this.#toDisk(this.#disk);
    else {
      this.pause();
      for (let entry = this.#shift(); entry; entry = this.#shift()) this.#events.dropped(entry, cause);
    }
  }

  /** Hands over as much as the window takes: memory first, for it is older than what the disk still holds. */
  fillWindow(): void {
    if (this.#paused || this.#pumping) return;
    this.#pumping = true;
    const messages = this.#away ? PROBE_MESSAGES : this.#limits.windowMessages;
    while (this.#inFlightMessages < messages && this.#inFlightBytes < this.#limits.windowBytes) {
      const entry = this.#memory.peek() ?? this.#readDisk();
      if (!entry || !this.#send(entry)) break;
    }
    this.#pumping = false;
  }

  #readDisk(): OutboxEntry | null {
    if (!this.#onDisk) return null;
    this.#readAhead ??= this.#disk!.next(this.#sentSeq);
    // Everything on disk is in the producer's hands: what comes now may follow it straight away.
    if (!this.#readAhead && !this.#away) this.#onDisk = false;
    return this.#readAhead;
  }

  #send(entry: OutboxEntry): boolean {
    const flight: InFlightMessage = { entry, settled: false };
    if (!this.#events.send(flight)) return false;
    if (entry === this.#readAhead) this.#readAhead = null;
    else this.#shift();
    this.#inFlight.push(flight);
    this.#inFlightMessages += 1;
    this.#inFlightBytes += cost(entry);
    this.#sentSeq = Math.max(this.#sentSeq, entry.seq);
    return true;
  }

  #remember(entry: OutboxEntry): void {
    this.#memory.push(entry);
    this.#memoryBytes += cost(entry);
  }

  #shift(): OutboxEntry | undefined {
    const entry = this.#memory.shift();
    if (entry) this.#memoryBytes -= cost(entry);
    return entry;
  }

  /** False where that is known already, or came from a producer that was lost since. */
  #settle(flight: InFlightMessage): boolean {
    if (flight.settled) return false;
    flight.settled = true;
    this.#inFlightMessages -= 1;
    this.#inFlightBytes -= cost(flight.entry);
    while (this.#inFlight.peek()?.settled) this.#inFlight.shift();
    return true;
  }

  *#unsettled(): Generator<OutboxEntry> {
    for (const { entry, settled } of this.#inFlight) if (!settled) yield entry;
  }

  /** Copies to disk what the broker does not have and the disk does not either; memory then starts anew. */
  #toDisk(disk: DiskBacklog): void {
    const unsaved = (entry: OutboxEntry) => entry.seq > this.#diskSeq;
    disk.append([...this.#unsettled(), ...this.#memory].filter(unsaved), this.#sentSeq);
    this.#diskSeq = this.#lastSeq;
    this.#onDisk = true;
    // Those that a lost producer gave back (seq ≤ sentSeq) stay in memory: the disk's reader is past them.
    const given: OutboxEntry[] = [];
    for (let entry = this.#shift(); entry; entry = this.#shift())
      if (entry.seq <= this.#sentSeq) given.push(entry);
    for (const entry of given) this.#remember(entry);
  }

  #overflow(): void {
    if (this.#disk) this.#toDisk(this.#disk);
    else
      while (this.#memoryBytes > this.#limits.memoryBytes) this.#events.dropped(this.#shift()!, 'kafka_away');
  }

  #proceed(): void {
    this.#sinceRelease += 1;
    if (this.#disk && (this.#sinceRelease >= this.#limits.releaseEvery || this.pending === 0)) {
      this.#sinceRelease = 0;
      const oldest = this.#inFlight.peek()?.entry.seq ?? this.#memory.peek()?.seq;
      this.#disk.release(oldest === undefined ? this.#sentSeq : Math.min(oldest - 1, this.#sentSeq));
    }
    this.fillWindow();
    if (this.pending === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function cost(entry: OutboxEntry): number {
  return entry.value.length + OVERHEAD_BYTES;
}
