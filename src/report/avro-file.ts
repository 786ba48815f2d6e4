import { closeSync, openSync, readSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import avro from 'avsc';
import { checkBounds } from '../records/bounds.ts';

const MAGIC = Buffer.from('Obj\x01');
const SYNC_BYTES = 16;
/** Of the header, with the schema. */
const MAX_HEADER_BYTES = 1 << 20;
/** Of one block, also after decompression; writers make blocks of 16 kB to 4 MB. */
const MAX_BLOCK_BYTES = 64 << 20;
/** Two numbers of at most ten bytes. */
const BLOCK_HEADER_BYTES = 20;

const metadata = avro.Type.forSchema({ type: 'map', values: 'bytes' });
const long = avro.Type.forSchema('long');

/**
 * The records of an Avro object container file. Own code, because avsc trusts the counts in a file and decompresses a
 * block to any size: a file of a few hundred bytes could take all memory (CWE-409). Throws an Error that says what is
 * wrong.
 */
export function* readAvroContainer(path: string): Generator<unknown> {
  const file = openSync(path, 'r');
  try {
    const header = readAt(file, 0, MAX_HEADER_BYTES);
    if (!header.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('it does not begin with Obj1');
    checkBounds(metadata, header.subarray(MAGIC.length));
    const { value, offset } = metadata.decode(header, MAGIC.length) as {
      value: Record<string, Buffer>;
      offset: number;
    };
    const type = avro.Type.forSchema(JSON.parse(String(value['avro.schema'])));
    const codec = String(value['avro.codec'] ?? 'null');
    if (codec !== 'null' && codec !== 'deflate') throw new Error(`codec ${codec}; use null or deflate`);
    for (let position = offset + SYNC_BYTES; ; ) {
      const start = readAt(file, position, BLOCK_HEADER_BYTES);
      if (start.length === 0) return;
      const count = decodeCount(start, 0);
      const size = decodeCount(start, count.offset);
      if (size.value > MAX_BLOCK_BYTES) throw new Error(`a block of ${size.value} bytes`);
      const block = readAt(file, position + size.offset, size.value);
      if (block.length < size.value) throw new Error('it is truncated');
      position += size.offset + size.value + SYNC_BYTES;
      const data = codec === 'null' ? block : inflateRawSync(block, { maxOutputLength: MAX_BLOCK_BYTES });
      yield* decodeBlock(type, data, count.value);
    }
  } finally {
    closeSync(file);
  }
}

function* decodeBlock(type: avro.Type, data: Buffer, count: number): Generator<unknown> {
  if (count > data.length) throw new Error(`${count} records in a block of ${data.length} bytes`);
  for (let index = 0, at = 0; index < count; index++) {
    checkBounds(type, data.subarray(at));
    const { value, offset } = type.decode(data, at);
    if (offset < 0) throw new Error('a record ends too early');
    at = offset;
    yield value;
  }
}

function decodeCount(bytes: Buffer, at: number): { value: number; offset: number } {
  const { value, offset } = long.decode(bytes, at) as { value: number | undefined; offset: number };
  if (offset < 0 || value === undefined || value < 0) throw new Error('it is truncated');
  return { value, offset };
}

/** At most `length` bytes; fewer at the end of the file. */
function readAt(file: number, position: number, length: number): Buffer {
  const chunks: Buffer[] = [];
  for (let done = 0; done < length; ) {
    // In pieces: the length may be an attacker's, the file short.
    const chunk = Buffer.alloc(Math.min(length - done, 1 << 20));
    const count = readSync(file, chunk, 0, chunk.length, position + done);
    if (count === 0) break;
    done += count;
    chunks.push(chunk.subarray(0, count));
  }
  return Buffer.concat(chunks);
}
