import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { AustreamError } from '../errors.ts';
import type { SpoolOptions } from '../kafka/options.ts';
import type { DiskQueue, OutboxEntry } from './outbox.ts';
import { encodeRecord, type Segment, SegmentReader, SegmentWriter, scanSegment } from './spool-segment.ts';

const SEGMENT_NAME = /^\d{16}\.seg$/;
/** A file with the seq up to which all messages are acknowledged. */
const CHECKPOINT_FILE = 'delivered';
const MAX_SEGMENT_BYTES = 16 * 1024 * 1024;
/** A full spool drops one segment, so at most 1/16 of its size at once. */
const MIN_SEGMENTS = 16;

/** Called for each lost message with its key; after corruption the key is `unknown`. */
export type SpoolLossListener = (key: string, cause: 'spool_full' | 'spool_corrupt' | 'disk_full') => void;

/** What a spool asks of the folder that it is in. */
export interface SpoolOwner {
  /** Called after messages were written: the folder drops the oldest ones of its largest spool past its limit. */
  enforceLimit(): void;
}

/**
 * A queue of messages on disk: segment files in one folder, oldest first.
 *
 * Durability: when `append` returns, the messages are written to the operating system and survive a crash of this
 * process. They are synced to the disk every `syncSeconds`; a power cut can lose the messages of that time. The
 * checkpoint of acknowledged messages is written on the same timer, so after a crash some messages are sent again.
 */
export class Spool implements DiskQueue {
  readonly #options: SpoolOptions;
  readonly #onLoss: SpoolLossListener;
  readonly #owner: SpoolOwner;
  readonly #segmentBytes: number;
  readonly #segments: Segment[] = [];
  readonly #timer: NodeJS.Timeout;
  /** Writer of the newest segment; null if the next append starts a new segment. */
  #writer: SegmentWriter | null = null;
  #reader: { segment: Segment; reader: SegmentReader } | null = null;
  /** Complete segments whose fsync is in progress. */
  readonly #sealing = new Set<Promise<void>>();
  #bytes = 0;
  #waiting = 0;
  #lastSeq = 0;
  /** Messages up to here were handed to the producer. */
  #sentSeq = 0;
  /** All messages up to here are acknowledged. */
  #releasedSeq = 0;
  /** The value of `#releasedSeq` in the checkpoint file. */
  #checkpointSeq = 0;
  /** The value in the checkpoint file when this process started. */
  #recoveredSeq = 0;

  /** Reads the folder's segments; a torn last record is cut off. Throws SPOOL_UNUSABLE and the file system's errors. */
  constructor(options: SpoolOptions, onLoss: SpoolLossListener, owner: SpoolOwner) {
    this.#options = options;
    this.#onLoss = onLoss;
    this.#owner = owner;
    mkdirSync(options.dir, { recursive: true });
    this.#segmentBytes = Math.min(
      MAX_SEGMENT_BYTES,
      Math.floor((options.maxMegabytes * 1024 * 1024) / MIN_SEGMENTS),
    );
    this.#recover();
    this.#timer = setInterval(() => this.#tick(), 1000 * (options.syncSeconds || 1)).unref();
  }

  get waiting(): number {
    return this.#waiting;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#bytes;
  }

  append(entries: readonly OutboxEntry[], sentSeq: number): number {
    this.#sentSeq = Math.max(this.#sentSeq, sentSeq);
    let start = 0;
    while (start < entries.length) {
      const records: Buffer[] = [];
      let room = this.#segmentBytes - (this.#writer?.bytes ?? 0);
      let end = start;
      for (; end < entries.length && (end === start || room > 0); end += 1) {
        const record = encodeRecord(entries[end]!);
        records.push(record);
        room -= record.length;
      }
      const part = entries.slice(start, end);
      if (!this.#store(part, Buffer.concat(records))) break;
      this.#lastSeq = part.at(-1)!.seq;
      if (room <= 0) this.#seal();
      start = end;
    }
    if (this.#options.syncSeconds === 0) this.#writer?.syncNow();
    this.#owner.enforceLimit();
    return start;
  }

  /** False if only the segment is left that is being written. */
  dropOldest(cause: 'spool_full' | 'disk_full'): boolean {
    if (this.#segments.length < 2) return false;
    this.#readToEnd(this.#segments[0]!, ({ seq, key }) => {
      // Messages in flight are not lost: the outbox still has them.
      if (seq > this.#sentSeq) this.#onLoss(key, cause);
    });
    this.#removeOldest();
    return true;
  }

  next(sentSeq: number): OutboxEntry | null {
    this.#sentSeq = Math.max(this.#sentSeq, sentSeq);
    for (let entry = this.#read(); entry; entry = this.#read()) if (entry.seq > sentSeq) return entry;
    return null;
  }

  release(throughSeq: number): void {
    this.#releasedSeq = Math.max(this.#releasedSeq, throughSeq);
    while (this.#segments[0] && this.#segments[0].lastSeq <= this.#releasedSeq) {
      this.#readToEnd(this.#segments[0]);
      this.#removeOldest();
      this.#writeCheckpoint();
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closeReader();
    this.#seal();
    await Promise.all(this.#sealing);
    this.#writeCheckpoint();
  }

  #recover(): void {
    const { dir } = this.#options;
    this.#releasedSeq = this.#recoveredSeq = this.#checkpointSeq = readCheckpoint(join(dir, CHECKPOINT_FILE));
    const names = readdirSync(dir)
      .filter((name) => SEGMENT_NAME.test(name))
      .sort();
    for (const name of names) {
      const path = join(dir, name);
      const scanned = scanSegment(path, this.#releasedSeq);
      if (!scanned)
        throw new AustreamError('SPOOL_UNUSABLE', `${path} is not a spool segment of this version`, {
          fix: 'deliver it with the version of austream that wrote it, or move the file away',
        });
      const { size, waiting, ...segment } = scanned;
      const torn = size > segment.bytes;
      if (torn) truncateSync(path, segment.bytes);
      // A crash tears only the end of the newest segment. A tear elsewhere is corruption: the records after it are lost.
      if (torn && name !== names.at(-1)) this.#onLoss('unknown', 'spool_corrupt');
      if (segment.records === 0 || segment.lastSeq <= this.#releasedSeq) {
        rmSync(path);
        continue;
      }
      this.#segments.push(segment);
      this.#bytes += segment.bytes;
      this.#waiting += waiting;
    }
    this.#lastSeq = Math.max(this.#releasedSeq, this.#segments.at(-1)?.lastSeq ?? 0);
  }

  /**
   * The next message that was not acknowledged when this process started; null at the end, or at the end of `within` if
   * the reader is in that segment.
   */
  #read(within?: Segment): OutboxEntry | null {
    for (;;) {
      const segment = this.#reader?.segment ?? this.#segments[0];
      if (!segment || (within && segment !== within)) return null;
      this.#reader ??= { segment, reader: new SegmentReader(segment.path) };
      for (let entry = this.#reader.reader.next(); entry; entry = this.#reader.reader.next()) {
        if (entry.seq <= this.#recoveredSeq) continue;
        this.#waiting -= 1;
        return entry;
      }
      const nextSegment = this.#segments[this.#segments.indexOf(segment) + 1];
      if (!nextSegment) return null;
      this.#closeReader();
      this.#reader = { segment: nextSegment, reader: new SegmentReader(nextSegment.path) };
    }
  }

  /** Moves the reader past a segment that is about to be removed. `onSkipped` receives its unread messages. */
  #readToEnd(segment: Segment, onSkipped?: (entry: OutboxEntry) => void): void {
    for (let entry = this.#read(segment); entry; entry = this.#read(segment)) onSkipped?.(entry);
    if (this.#reader?.segment === segment) this.#closeReader();
  }

  #closeReader(): void {
    this.#reader?.reader.close();
    this.#reader = null;
  }

  /** Writes messages to the newest segment. False: not written, as the disk is full or fails. */
  #store(entries: readonly OutboxEntry[], records: Buffer): boolean {
    try {
      if (!this.#writer) {
        const name = `${String(entries[0]!.seq).padStart(16, '0')}.seg`;
        this.#writer = SegmentWriter.create(join(this.#options.dir, name));
        this.#segments.push({
          path: this.#writer.path,
          lastSeq: entries[0]!.seq - 1,
          records: 0,
          bytes: 0,
        });
      }
      this.#writer.append(records);
    } catch {
      return false;
    }
    const segment = this.#segments.at(-1)!;
    segment.lastSeq = entries.at(-1)!.seq;
    segment.records += entries.length;
    this.#bytes += this.#writer.bytes - segment.bytes;
    segment.bytes = this.#writer.bytes;
    this.#waiting += entries.length;
    return true;
  }

  #removeOldest(): void {
    const oldest = this.#segments.shift()!;
    if (this.#segments.length === 0) this.#seal();
    this.#bytes -= oldest.bytes;
    // The file may still be open for its fsync. Truncation frees the disk space at once.
    truncateSync(oldest.path);
    rmSync(oldest.path);
  }

  #seal(): void {
    if (!this.#writer) return;
    const sealing = this.#writer.seal().then(() => void this.#sealing.delete(sealing));
    this.#sealing.add(sealing);
    this.#writer = null;
  }

  #tick(): void {
    this.#writer?.sync();
    this.#writeCheckpoint();
  }

  #writeCheckpoint(): void {
    if (this.#checkpointSeq === this.#releasedSeq) return;
    const path = join(this.#options.dir, CHECKPOINT_FILE);
    try {
      writeFileSync(`${path}.new`, String(this.#releasedSeq));
      renameSync(`${path}.new`, path);
      this.#checkpointSeq = this.#releasedSeq;
    } catch {
      // On a full disk the checkpoint stays old: after a crash more messages are sent again.
    }
  }
}

/** 0 if there is no checkpoint. */
function readCheckpoint(path: string): number {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10) || 0;
  } catch {
    return 0;
  }
}
