import { readdirSync, readFileSync } from 'node:fs';
import avro from 'avsc';
import { AustreamError } from '../errors.ts';
import { type AvroWriter, compileWriter } from './avro-writer.ts';
import { avroFingerprint } from './fingerprint.ts';

/** The record types of austream's topics; the schema of each is `schemas/<name>.avsc`. */
export const RECORD_NAMES = [
  'AuFrame',
  'AuActivation',
  'CameraStatus',
  'FaceCropBatch',
  'DeadLetter',
] as const;
export type RecordName = (typeof RECORD_NAMES)[number];

/** Avro single-object encoding: marker (2 bytes), fingerprint of the schema (8 bytes), Avro binary. */
export const SINGLE_OBJECT_MARKER = Buffer.of(0xc3, 0x01);
export const SINGLE_OBJECT_HEADER_BYTES = 10;
const BLOCK_BYTES = 64 * 1024;

const SCHEMA_FOLDER = new URL('../../schemas/', import.meta.url);
/** All released versions of each schema: `<record>/<version>.avsc`. */
export const RELEASED_SCHEMAS = new URL('released/', SCHEMA_FOLDER);
const types = new Map<RecordName, avro.Type>();
const writers = new Map<RecordName, AvroWriter | null>();

/** The text of the record's schema file. */
export function schemaText(record: RecordName): string {
  return readFileSync(new URL(`${record}.avsc`, SCHEMA_FOLDER), 'utf8');
}

/** The texts of the record's released versions. */
export function releasedSchemas(record: RecordName): string[] {
  const folder = new URL(`${record}/`, RELEASED_SCHEMAS);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.avsc'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'));
}

/** The record's Avro type, parsed once per process. */
export function recordType(record: RecordName): avro.Type {
  let type = types.get(record);
  if (!type) {
    type = avro.Type.forSchema(JSON.parse(schemaText(record)));
    types.set(record, type);
  }
  return type;
}

/** The record's fast writer, compiled once per process; null if only avsc writes it. */
function recordWriter(record: RecordName): AvroWriter | null {
  let writer = writers.get(record);
  if (writer === undefined) {
    writer = compileWriter(recordType(record));
    writers.set(record, writer);
  }
  return writer;
}

/** Whether a message has the header of the single-object encoding. */
export function isSingleObject(message: Buffer): boolean {
  return (
    message.length >= SINGLE_OBJECT_HEADER_BYTES &&
    message[0] === SINGLE_OBJECT_MARKER[0] &&
    message[1] === SINGLE_OBJECT_MARKER[1]
  );
}

/** The header of messages in single-object encoding: marker and fingerprint, 10 bytes. */
export function singleObjectHeader(type: avro.Type): Buffer {
  return Buffer.concat([SINGLE_OBJECT_MARKER, avroFingerprint(type)], SINGLE_OBJECT_HEADER_BYTES);
}

/** Encodes records of one schema as messages: a constant header, then Avro binary. */
export class RecordEncoder {
  readonly #record: RecordName;
  readonly #type: avro.Type;
  readonly #writer: AvroWriter | null;
  /** The schema's fingerprint (CRC-64-AVRO). */
  readonly fingerprint: bigint;
  /** The first bytes of each message; they identify the schema. */
  header: Buffer;
  /** Messages are written one after another into a block, so that many messages share one allocation. */
  #block = Buffer.alloc(0);
  #target = targetOf(this.#block);
  #offset = 0;

  /** `header` defaults to that of single-object encoding; with a schema registry it is `confluentHeader(id)`. */
  constructor(record: RecordName, header?: Buffer) {
    this.#record = record;
    this.#type = recordType(record);
    this.#writer = recordWriter(record);
    this.fingerprint = avroFingerprint(this.#type).readBigUInt64LE();
    this.header = header ?? singleObjectHeader(this.#type);
  }

  /** Throws SCHEMA_INVALID if `value` does not fit the schema. The buffer is never reused. */
  encode(value: unknown): Buffer {
    let end = this.#write(value);
    while (end < 0) {
      const needed = this.#block.length - this.#offset - end;
      this.#block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, 2 * needed));
      this.#target = targetOf(this.#block);
      this.#offset = 0;
      end = this.#write(value);
    }
    const message = this.#block.subarray(this.#offset, end);
    this.#offset = end;
    return message;
  }

  /** Returns the end of the message in the block, or minus the number of missing bytes if it does not fit. */
  #write(value: unknown): number {
    const bodyStart = this.#offset + this.header.length;
    if (bodyStart > this.#block.length) return this.#block.length - bodyStart;
    this.header.copy(this.#block, this.#offset);
    const end = this.#writeFast(value, bodyStart);
    if (end >= 0) return end;
    try {
      return this.#type.encode(value, this.#block, bodyStart);
    } catch (cause) {
      throw new AustreamError('SCHEMA_INVALID', `not a valid ${this.#record}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** Returns the end of the message; −1 if avsc has to write it. */
  #writeFast(value: unknown, bodyStart: number): number {
    if (!this.#writer) return -1;
    try {
      const end = this.#writer(value, this.#target, bodyStart);
      return end > this.#block.length ? -1 : end;
    } catch (error) {
      // A number past the end of the block.
      if (error instanceof RangeError) return -1;
      throw error;
    }
  }
}

function targetOf(block: Buffer) {
  return { bytes: block, view: new DataView(block.buffer, block.byteOffset, block.byteLength) };
}
