import {
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { AustreamError } from '../errors.ts';
import type { SpoolOptions } from '../kafka/options.ts';
import { lockFolder } from './folder-lock.ts';
import type { DiskBacklog, OutboxEntry } from './outbox.ts';
import { encodeRecord, type Segment, SegmentReader, SegmentWriter, scanSegment } from './spool-segment.ts';

const SEGMENT_NAME = /^\d{16}\.seg$/;
/** Holds the seq up to which the broker has everything. */
const NOTE = 'delivered';
const MAX_SEGMENT_BYTES = 16 * 1024 * 1024;
/** Lost events are told within a sixteenth of the bound. */
const SEGMENTS = 16;

export type SpoolLoss = (key: string, cause: 'spool_full' | 'spool_corrupt' | 'disk_full') => void;

/**
 * Messages on disk, oldest first, in segment files of one folder.
 *
 * Durability: an appended message has been written to the operating system when `append` returns, so it
 * outlives this process however it ends; it is forced to the disk every `syncSeconds`, which is what a power cut
 * can cost. What the broker has is noted at most a second late: after a crash some messages are sent again.
 */
export class Spool implements DiskBacklog {
  readonly #options: SpoolOptions;
  readonly #lost: SpoolLoss;
  readonly #lock: Server;
  readonly #segmentBytes: number;
  readonly #segments: Segment[] = [];
  readonly #timer: NodeJS.Timeout;
  /** Of the newest segment; null where the next append begins a new one. */
  #writer: SegmentWriter | null = null;
  #reader: { segment: Segment; reader: SegmentReader } | null = null;
  /** Segments that are complete but still being forced to the disk. */
  readonly #sealing = new Set<Promise<void>>();
  #bytes = 0;
  #waiting = 0;
  #lastSeq = 0;
  #released = 0;
  /** What of it is on disk, and what of it was when this process began. */
  #noted = 0;
  #recovered = 0;

  /** Takes the folder over, cutting a torn last record. Throws SPOOL_UNUSABLE where that cannot be. */
  static async open(options: SpoolOptions, lost: SpoolLoss): Promise<Spool> {
    try {
      mkdirSync(options.dir, { recursive: true });
      const lock = await lockFolder(options.dir);
      try {
        return new Spool({ ...options, dir: realpathSync(options.dir) }, lost, lock);
      } catch (error) {
        lock.close();
        throw error;
      }
    } catch (cause) {
      if (cause instanceof AustreamError) throw cause;
      throw new AustreamError(
        'SPOOL_UNUSABLE',
        `the spool ${options.dir} cannot be used: ${(cause as Error).message}`,
        {
          fix: 'kafka.spool.dir must be a folder that this user may write to, for this process alone',
          cause,
        },
      );
    }
  }

  private constructor(options: SpoolOptions, lost: SpoolLoss, lock: Server) {
    this.#options = options;
    this.#lost = lost;
    this.#lock = lock;
    this.#segmentBytes = Math.min(
      MAX_SEGMENT_BYTES,
      Math.floor((options.maxMegabytes * 1024 * 1024) / SEGMENTS),
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

  append(entries: readonly OutboxEntry[], sentSeq: number): void {
    for (let start = 0; start < entries.length; ) {
      const records: Buffer[] = [];
      let room = this.#segmentBytes - (this.#writer?.bytes ?? 0);
      let end = start;
      for (; end < entries.length && (end === start || room > 0); end += 1) {
        const record = encodeRecord(entries[end]!);
        records.push(record);
        room -= record.length;
      }
      const part = entries.slice(start, end);
      if (!this.#store(part, Buffer.concat(records), sentSeq))
        for (const { key } of part) this.#lost(key, 'disk_full');
      this.#lastSeq = part.at(-1)!.seq;
      if (room <= 0) this.#seal();
      start = end;
    }
    if (this.#options.syncSeconds === 0) this.#writer?.syncNow();
    while (this.#bytes > this.#options.maxMegabytes * 1024 * 1024 && this.#segments.length > 1)
      this.#giveUpOldest(sentSeq, 'spool_full');
  }

  next(sentSeq: number): OutboxEntry | null {
    for (let entry = this.#read(); entry; entry = this.#read()) if (entry.seq > sentSeq) return entry;
    return null;
  }

  release(throughSeq: number): void {
    this.#released = Math.max(this.#released, throughSeq);
    while (this.#segments[0] && this.#segments[0].lastSeq <= this.#released) {
      this.#readOut(this.#segments[0]);
      this.#removeOldest();
      this.#note();
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#leaveReader();
    this.#seal();
    await Promise.all(this.#sealing);
    this.#note();
    await new Promise((resolve) => this.#lock.close(resolve));
  }

  #recover(): void {
    const { dir } = this.#options;
    this.#released = this.#recovered = this.#noted = readNote(join(dir, NOTE));
    const names = readdirSync(dir)
      .filter((name) => SEGMENT_NAME.test(name))
      .sort();
    for (const name of names) {
      const path = join(dir, name);
      const scanned = scanSegment(path, this.#released);
      if (!scanned)
        throw new AustreamError('SPOOL_UNUSABLE', `${path} is not a segment of this version's spool`, {
          fix: 'deliver it with the version that wrote it, or move the file away',
        });
      const { size, waiting, ...segment } = scanned;
      const torn = size > segment.bytes;
      if (torn) truncateSync(path, segment.bytes);
      // A crash tears the newest segment's end only; a tear elsewhere is damage, and what followed it is gone.
      if (torn && name !== names.at(-1)) this.#lost('unknown', 'spool_corrupt');
      if (segment.records === 0 || segment.lastSeq <= this.#released) {
        rmSync(path);
        continue;
      }
      this.#segments.push(segment);
      this.#bytes += segment.bytes;
      this.#waiting += waiting;
    }
    this.#lastSeq = Math.max(this.#released, this.#segments.at(-1)?.lastSeq ?? 0);
  }

  /** The next message on disk, of whichever segment, that had not been delivered when this process began. */
  #read(within?: Segment): OutboxEntry | null {
    for (;;) {
      const segment = this.#reader?.segment ?? this.#segments[0];
      if (!segment || (within && segment !== within)) return null;
      this.#reader ??= { segment, reader: new SegmentReader(segment.path) };
      for (let entry = this.#reader.reader.next(); entry; entry = this.#reader.reader.next()) {
        if (entry.seq <= this.#recovered) continue;
        this.#waiting -= 1;
        return entry;
      }
      const following = this.#segments[this.#segments.indexOf(segment) + 1];
      if (!following) return null;
      this.#leaveReader();
      this.#reader = { segment: following, reader: new SegmentReader(following.path) };
    }
  }

  /** Takes the reader past a segment that is about to go; tells of each message that goes with it. */
  #readOut(segment: Segment, gone?: (entry: OutboxEntry) => void): void {
    for (let entry = this.#read(segment); entry; entry = this.#read(segment)) gone?.(entry);
    if (this.#reader?.segment === segment) this.#leaveReader();
  }

  #leaveReader(): void {
    this.#reader?.reader.close();
    this.#reader = null;
  }

  /** Writes messages to the newest segment, making room on a full disk by giving up the oldest one. */
  #store(entries: readonly OutboxEntry[], records: Buffer, sentSeq: number): boolean {
    for (;;) {
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
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if ((code !== 'ENOSPC' && code !== 'EDQUOT') || this.#segments.length < 2) return false;
        this.#giveUpOldest(sentSeq, 'disk_full');
        continue;
      }
      const segment = this.#segments.at(-1)!;
      segment.lastSeq = entries.at(-1)!.seq;
      segment.records += entries.length;
      this.#bytes += this.#writer.bytes - segment.bytes;
      segment.bytes = this.#writer.bytes;
      this.#waiting += entries.length;
      return true;
    }
  }

  #giveUpOldest(sentSeq: number, cause: 'spool_full' | 'disk_full'): void {
    this.#readOut(this.#segments[0]!, ({ seq, key }) => {
      // What is in the producer's hands is not lost yet.
      if (seq > sentSeq) this.#lost(key, cause);
    });
    this.#removeOldest();
  }

  #removeOldest(): void {
    const oldest = this.#segments.shift()!;
    if (this.#segments.length === 0) this.#seal();
    this.#bytes -= oldest.bytes;
    // It may still be open, being forced to the disk: truncated, it gives its room back at once.
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
    this.#note();
  }

  #note(): void {
    if (this.#noted === this.#released) return;
    const path = join(this.#options.dir, NOTE);
    try {
      writeFileSync(`${path}.new`, String(this.#released));
      renameSync(`${path}.new`, path);
      this.#noted = this.#released;
    } catch {
      // A full disk: the note stays older, which costs a few messages sent twice.
    }
  }
}

function readNote(path: string): number {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10) || 0;
  } catch {
    return 0;
  }
}
