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
import type { DiskFailure, DiskQueue, OutboxEntry } from './outbox.ts';
import { RecordBuffer, type Segment, SegmentReader, SegmentWriter, scanSegment } from './spool-segment.ts';

const SEGMENT_NAME = /^\d{16}\.seg$/;
/** A file with the seq up to which all messages are acknowledged. */
const CHECKPOINT_FILE = 'delivered';
const MAX_SEGMENT_BYTES = 16 * 1024 * 1024;
/** A full spool drops one segment, so at most 1/16 of its size at once. */
const MIN_SEGMENTS = 16;
/** Bytes of one write. */
const WRITE_BYTES = 1024 * 1024;
/** Bytes of one write while the disk fails: a vain attempt costs little, and a nearly full disk is filled. */
const CAUTIOUS_BYTES = 256 * 1024;
const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** Called for each lost message with its key; after corruption the key is `unknown`. */
export type SpoolLossListener = (key: string, cause: 'spool_full' | 'spool_corrupt' | 'disk_full') => void;

/** What a spool asks of the folder that it is in. */
export interface SpoolOwner {
  /** Called after messages were written: the folder drops the oldest ones of its largest spool past its limit. */
  enforceLimit(): void;
  /** The disk refuses writes, or takes them again. */
  disk(state: DiskState, detail: string): void;
}

export type DiskState = 'failing' | 'working';

/**
 * A queue of messages on disk: segment files in one folder, oldest first. No error of the disk throws after it is open:
 * what could not be written stays with the caller, what cannot be read is reported as lost.
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
  #reader: { segment: Segment; reader: SegmentReader | null } | null = null;
  /** Complete segments whose fsync is in progress. */
  readonly #sealing = new Set<Promise<void>>();
  #failure: DiskFailure | null = null;
  readonly #records = new RecordBuffer();
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

  get failure(): DiskFailure | null {
    return this.#failure;
  }

  append(entries: readonly OutboxEntry[], sentSeq: number): number {
    this.#sentSeq = Math.max(this.#sentSeq, sentSeq);
    let written = 0;
    while (written < entries.length) {
      const { part, records } = this.#nextPart(entries, written);
      if (!this.#store(part, records)) break;
      written += part.length;
    }
    this.#owner.enforceLimit();
    return written;
  }

  /** False if there is nothing to drop. Only a full disk costs the segment that is being written. */
  dropOldest(cause: 'spool_full' | 'disk_full'): boolean {
    const oldest = this.#segments[0];
    if (!oldest || (cause === 'spool_full' && this.#segments.length < 2)) return false;
    // Messages in flight are not lost: the outbox still has them.
    for (let entry = this.#read(oldest); entry; entry = this.#read(oldest)) this.#onLoss(entry.key, cause);
    this.#leave(oldest);
    this.#removeOldest();
    return true;
  }

  next(sentSeq: number): OutboxEntry | null {
    this.#sentSeq = Math.max(this.#sentSeq, sentSeq);
    return this.#read();
  }

  release(throughSeq: number): void {
    this.#releasedSeq = Math.max(this.#releasedSeq, throughSeq);
    while (this.#segments[0] && this.#segments[0].lastSeq <= this.#releasedSeq) {
      this.#forget(this.#segments[0]);
      if (this.#reader?.segment === this.#segments[0]) this.#closeReader();
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
    for (const [index, name] of names.entries()) {
      const path = join(dir, name);
      const scanned = scanSegment(path, this.#releasedSeq);
      if (!scanned)
        throw new AustreamError('SPOOL_UNUSABLE', `${path} is not a spool segment of this version`, {
          fix: 'deliver it with the version of austream that wrote it, or move the file away',
        });
      const { size, ...segment } = scanned;
      const torn = size > segment.bytes;
      if (torn) truncateSync(path, segment.bytes);
      // A crash tears only the end of the newest segment. A tear elsewhere is corruption: the records after it are lost.
      const next = names[index + 1];
      if (torn && next) {
        const lastIntact = Math.max(segment.lastSeq, firstSeq(name) - 1, this.#releasedSeq);
        this.#reportCorrupt(firstSeq(next) - 1 - lastIntact);
      }
      if (segment.unread === 0) {
        rmSync(path);
        continue;
      }
      this.#segments.push(segment);
      this.#bytes += segment.bytes;
      this.#waiting += segment.unread;
    }
    this.#lastSeq = Math.max(this.#releasedSeq, this.#segments.at(-1)?.lastSeq ?? 0);
  }

  /**
   * The next message that was neither handed to the producer nor acknowledged when this process started; null at the end,
   * or at the end of `within` if the reader is in that segment.
   */
  #read(within?: Segment): OutboxEntry | null {
    for (;;) {
      const segment = this.#reader?.segment ?? this.#segments[0];
      if (!segment || (within && segment !== within)) return null;
      for (let entry = this.#readRecord(segment); entry; entry = this.#readRecord(segment)) {
        if (entry.seq <= Math.max(this.#sentSeq, this.#recoveredSeq)) continue;
        segment.unread -= 1;
        this.#waiting -= 1;
        return entry;
      }
      const nextSegment = this.#segments[this.#segments.indexOf(segment) + 1];
      if (!nextSegment) {
        if (segment.unread > 0) this.#abandonNewest(segment);
        return null;
      }
      this.#leave(segment);
      this.#reader = { segment: nextSegment, reader: null };
    }
  }

  /** Null at the end, and where the disk fails. */
  #readRecord(segment: Segment): OutboxEntry | null {
    try {
      this.#reader ??= { segment, reader: null };
      this.#reader.reader ??= new SegmentReader(segment.path);
      return this.#reader.reader.next();
    } catch {
      return null;
    }
  }

  /** The newest segment lacks records that were written to it: they are lost, and new ones go to another segment. */
  #abandonNewest(segment: Segment): void {
    this.#reportCorrupt(this.#forget(segment));
    this.#seal();
  }

  /** The reader leaves the segment at its end. Records that it did not find there are lost. */
  #leave(segment: Segment): void {
    if (this.#reader?.segment === segment) this.#closeReader();
    this.#reportCorrupt(this.#forget(segment));
  }

  /** Nothing of the segment is waiting any more. Returns how many records were not read. */
  #forget(segment: Segment): number {
    const { unread } = segment;
    this.#waiting -= unread;
    segment.unread = 0;
    return unread;
  }

  #reportCorrupt(count: number): void {
    for (let lost = 0; lost < count; lost += 1) this.#onLoss('unknown', 'spool_corrupt');
  }

  #closeReader(): void {
    this.#reader?.reader?.close();
    this.#reader = null;
  }

  /** The next entries that fit into the newest segment, and their records, which are valid until the next call. */
  #nextPart(entries: readonly OutboxEntry[], start: number): { part: OutboxEntry[]; records: Buffer } {
    if (this.#writer && this.#writer.bytes >= this.#segmentBytes) this.#seal();
    const room = Math.min(
      this.#segmentBytes - (this.#writer?.bytes ?? 0),
      this.#failure ? CAUTIOUS_BYTES : WRITE_BYTES,
    );
    this.#records.clear();
    let end = start;
    for (; end < entries.length && (end === start || this.#records.length < room); end += 1)
      this.#records.add(entries[end]!);
    return { part: entries.slice(start, end), records: this.#records.bytes };
  }

  /** Writes messages to the newest segment. False: not written. */
  #store(entries: readonly OutboxEntry[], records: Buffer): boolean {
    try {
      this.#writer ??= this.#newSegment(entries[0]!.seq);
      this.#writer.append(records, this.#options.syncSeconds === 0);
    } catch (error) {
      this.#failed(error as Error);
      return false;
    }
    if (this.#failure) this.#owner.disk('working', this.#options.dir);
    this.#failure = null;
    const segment = this.#segments.at(-1)!;
    const unread = entries.reduce((count, { seq }) => count + (seq > this.#sentSeq ? 1 : 0), 0);
    this.#lastSeq = segment.lastSeq = entries.at(-1)!.seq;
    segment.records += entries.length;
    segment.unread += unread;
    this.#bytes += this.#writer.bytes - segment.bytes;
    segment.bytes = this.#writer.bytes;
    this.#waiting += unread;
    return true;
  }

  #newSegment(seq: number): SegmentWriter {
    mkdirSync(this.#options.dir, { recursive: true });
    const name = `${String(seq).padStart(16, '0')}.seg`;
    const writer = SegmentWriter.create(join(this.#options.dir, name));
    this.#segments.push({ path: writer.path, lastSeq: seq - 1, records: 0, bytes: 0, unread: 0 });
    return writer;
  }

  #failed(error: Error): void {
    const before = this.#failure;
    this.#failure = FULL.has((error as NodeJS.ErrnoException).code ?? '') ? 'disk_full' : 'disk_error';
    if (this.#failure !== before) this.#owner.disk('failing', `${this.#options.dir}: ${error.message}`);
  }

  #removeOldest(): void {
    const oldest = this.#segments.shift()!;
    if (this.#segments.length === 0) this.#seal();
    this.#bytes -= oldest.bytes;
    try {
      // The file may still be open for its fsync. Truncation frees the disk space at once.
      truncateSync(oldest.path);
      rmSync(oldest.path);
    } catch {
      // Somebody removed it, or the disk fails: the checkpoint says that it is delivered.
    }
  }

  #seal(): void {
    if (!this.#writer) return;
    const sealing = this.#writer
      .seal((error) => this.#failed(error))
      .then(() => void this.#sealing.delete(sealing));
    this.#sealing.add(sealing);
    this.#writer = null;
  }

  #tick(): void {
    this.#writer?.sync((error) => this.#failed(error));
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

/** The seq of a segment's first record, which names its file. */
function firstSeq(name: string): number {
  return Number.parseInt(name, 10);
}

/** 0 if there is no checkpoint. */
function readCheckpoint(path: string): number {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10) || 0;
  } catch {
    return 0;
  }
}
