import {
  closeSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { crc32 } from 'node:zlib';
import type { OutboxEntry } from './outbox.ts';

/**
 * The format of the spool's segment files: the magic, then records, each
 *
 *   length u32 │ crc32 of the payload u32 │ payload: seq u48 │ topic length u8, topic │ key length u16, key │ value
 *
 * All numbers are big-endian. An empty value is a tombstone: no encoded record is empty. A record that is cut short or
 * fails its checksum ends the segment.
 */
const SEGMENT_MAGIC = Buffer.from('AUSPOOL1');
/** Length and checksum in front of each payload. */
const RECORD_HEADER_BYTES = 8;
const CHUNK_BYTES = 256 * 1024;
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
/** Seq, and the lengths of an empty topic and key. */
const MIN_PAYLOAD_BYTES = 9;
/** A larger length is corruption. */
const MAX_PAYLOAD_BYTES = 256 * 1024 * 1024;

/** Records that are written together. Its memory is used again for the next ones. */
export class RecordBuffer {
  #buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #length = 0;

  /** The records since `clear`; valid until the next change. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    // After one very large record.
    if (this.#buffer.length > MAX_KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#length = 0;
  }

  add({ seq, topic, key, value }: OutboxEntry): void {
    const topicBytes = Buffer.byteLength(topic);
    const keyBytes = Buffer.byteLength(key);
    const length = 6 + 1 + topicBytes + 2 + keyBytes + (value?.length ?? 0);
    const start = this.#length;
    this.#reserve(RECORD_HEADER_BYTES + length);
    const buffer = this.#buffer;
    const payload = start + RECORD_HEADER_BYTES;
    let offset = buffer.writeUIntBE(seq, payload, 6);
    offset = buffer.writeUInt8(topicBytes, offset);
    offset += buffer.write(topic, offset);
    offset = buffer.writeUInt16BE(keyBytes, offset);
    offset += buffer.write(key, offset);
    value?.copy(buffer, offset);
    buffer.writeUInt32BE(length, start);
    buffer.writeUInt32BE(crc32(buffer.subarray(payload, payload + length)), start + 4);
    this.#length = payload + length;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/**
 * Null if the lengths in the payload exceed it: the checksum protects against accidents only. The value shares the memory
 * of `payload`.
 */
function decodePayload(payload: Buffer): OutboxEntry | null {
  const seq = payload.readUIntBE(0, 6);
  const topicEnd = 7 + payload.readUInt8(6);
  if (topicEnd + 2 > payload.length) return null;
  const keyEnd = topicEnd + 2 + payload.readUInt16BE(topicEnd);
  if (keyEnd > payload.length) return null;
  return {
    seq,
    topic: payload.toString('utf8', 7, topicEnd),
    key: payload.toString('utf8', topicEnd + 2, keyEnd),
    value: keyEnd === payload.length ? null : payload.subarray(keyEnd),
  };
}

/** Appends records to a new segment. */
export class SegmentWriter {
  readonly path: string;
  readonly #fd: number;
  #bytes = 0;
  /** Bytes were written since the last fsync. */
  #dirty = true;

  /** Throws if the file exists. */
  static create(path: string): SegmentWriter {
    const writer = new SegmentWriter(path, openSync(path, 'wx', 0o600));
    try {
      writer.append(SEGMENT_MAGIC);
      return writer;
    } catch (error) {
      writer.close();
      rmSync(path, { force: true });
      throw error;
    }
  }

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Writes all records or none: after a partial write (full disk) the file is truncated again before this throws. With
   * `sync` the records are on the disk when it returns.
   */
  append(records: Buffer, sync = false): void {
    try {
      for (let written = 0; written < records.length; )
        written += writeSync(this.#fd, records, written, records.length - written, this.#bytes + written);
      if (sync) fsyncSync(this.#fd);
    } catch (error) {
      ftruncateSync(this.#fd, this.#bytes);
      throw error;
    }
    this.#bytes += records.length;
    this.#dirty = !sync;
  }

  /** Starts an fsync without waiting for it. */
  sync(failed: (error: Error) => void): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    fsync(this.#fd, (error) => error && failed(error));
  }

  /** Syncs to the disk and closes the file. */
  seal(failed: (error: Error) => void): Promise<void> {
    return new Promise((resolve) =>
      fsync(this.#fd, (error) => {
        if (error) failed(error);
        this.close();
        resolve();
      }),
    );
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Reads a segment's records in order, also while the segment grows. */
export class SegmentReader {
  readonly #fd: number;
  #chunk: Buffer = Buffer.alloc(0);
  /** Position of `#chunk` in the file. */
  #chunkStart = SEGMENT_MAGIC.length;
  /** Position of the next record in `#chunk`. */
  #offset = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'r');
  }

  /** Position in the file after the last record that was read. */
  get position(): number {
    return this.#chunkStart + this.#offset;
  }

  hasMagic(): boolean {
    const magic = Buffer.alloc(SEGMENT_MAGIC.length);
    return readSync(this.#fd, magic, 0, magic.length, 0) === magic.length && magic.equals(SEGMENT_MAGIC);
  }

  /** The next record; null if the next one is missing, incomplete or corrupt. */
  next(): OutboxEntry | null {
    if (!this.#ensureBytes(RECORD_HEADER_BYTES)) return null;
    const length = this.#chunk.readUInt32BE(this.#offset);
    if (length < MIN_PAYLOAD_BYTES || length > MAX_PAYLOAD_BYTES) return null;
    // Compared with the file before the memory is allocated.
    if (length > CHUNK_BYTES && length > fstatSync(this.#fd).size - this.position) return null;
    if (!this.#ensureBytes(RECORD_HEADER_BYTES + length)) return null;
    const start = this.#offset + RECORD_HEADER_BYTES;
    const payload = this.#chunk.subarray(start, start + length);
    if (crc32(payload) !== this.#chunk.readUInt32BE(this.#offset + 4)) return null;
    const entry = decodePayload(payload);
    if (entry !== null) this.#offset = start + length;
    return entry;
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Ensures that `bytes` bytes of the next record are in the chunk; false at the end of the file. */
  #ensureBytes(bytes: number): boolean {
    if (this.#chunk.length - this.#offset >= bytes) return true;
    const rest = this.#chunk.subarray(this.#offset);
    // Never reused: the values of earlier records are in the earlier chunk.
    const chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes));
    rest.copy(chunk);
    this.#chunkStart += this.#offset;
    this.#offset = 0;
    let filled = rest.length;
    while (filled < chunk.length) {
      const read = readSync(this.#fd, chunk, filled, chunk.length - filled, this.#chunkStart + filled);
      if (read === 0) break;
      filled += read;
    }
    this.#chunk = chunk.subarray(0, filled);
    return filled >= bytes;
  }
}

/** A segment file in the spool's index. */
export interface Segment {
  readonly path: string;
  lastSeq: number;
  records: number;
  bytes: number;
  /** Records that were not read yet and are not in flight. */
  unread: number;
}

/**
 * Reads a segment to its end; null if the file is not a segment. `bytes` is the end of the last complete record, `size`
 * the size of the file, `unread` the number of records after `afterSeq`.
 */
export function scanSegment(path: string, afterSeq: number): (Segment & { size: number }) | null {
  const size = statSync(path).size;
  const reader = new SegmentReader(path);
  try {
    const segment = { path, lastSeq: 0, records: 0, bytes: SEGMENT_MAGIC.length, size, unread: 0 };
    // A crash may have interrupted the write of the magic.
    if (size < SEGMENT_MAGIC.length) return { ...segment, bytes: 0 };
    if (!reader.hasMagic()) return null;
    for (let record = reader.next(); record; record = reader.next()) {
      segment.lastSeq = record.seq;
      segment.records += 1;
      if (record.seq > afterSeq) segment.unread += 1;
    }
    segment.bytes = reader.position;
    return segment;
  } finally {
    reader.close();
  }
}
