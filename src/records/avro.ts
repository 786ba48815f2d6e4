import { readFileSync } from 'node:fs';
import avro from 'avsc';
import { AustreamError } from '../errors.ts';
import { avroFingerprint } from './fingerprint.ts';

/** The records that austream puts on topics, each with its schema in `schemas/`. */
export const RECORD_NAMES = [
  'AuFrame',
  'AuActivation',
  'CameraStatus',
  'FaceCropBatch',
  'DeadLetter',
] as const;
export type RecordName = (typeof RECORD_NAMES)[number];

/** Avro's single-object marker; the schema's fingerprint (8 bytes) and the record's bytes follow. */
export const SINGLE_OBJECT_MARKER = Buffer.of(0xc3, 0x01);
export const SINGLE_OBJECT_HEADER_BYTES = 10;
const BLOCK_BYTES = 64 * 1024;

const SCHEMA_FOLDER = new URL('../../schemas/', import.meta.url);
/** Every released version of each schema: `<record>/<version>.avsc`. */
export const RELEASED_SCHEMAS = new URL('released/', SCHEMA_FOLDER);
const types = new Map<RecordName, avro.Type>();

/** The text of a record's schema, as it stands in `schemas/`. */
export function schemaText(record: RecordName): string {
  return readFileSync(new URL(`${record}.avsc`, SCHEMA_FOLDER), 'utf8');
}

/** A record's Avro type: parsed once. */
export function recordType(record: RecordName): avro.Type {
  let type = types.get(record);
  if (!type) {
    type = avro.Type.forSchema(JSON.parse(schemaText(record)));
    types.set(record, type);
  }
  return type;
}

/** The ten bytes that begin each message of a schema in single-object encoding. */
export function singleObjectHeader(type: avro.Type): Buffer {
  return Buffer.concat([SINGLE_OBJECT_MARKER, avroFingerprint(type)], SINGLE_OBJECT_HEADER_BYTES);
}

/** Writes records of one schema as messages: a fixed header, then Avro binary. */
export class RecordEncoder {
  readonly #record: RecordName;
  readonly #type: avro.Type;
  /** Begins each message and names its schema. */
  readonly header: Buffer;
  /** Messages are written one after the other into blocks: one allocation for many. */
  #block = Buffer.alloc(0);
  #at = 0;

  /** `header` names the writer's schema: of single-object encoding unless a registry has given an id. */
  constructor(record: RecordName, header?: Buffer) {
    this.#record = record;
    this.#type = recordType(record);
    this.header = header ?? singleObjectHeader(this.#type);
  }

  /** Throws SCHEMA_INVALID where `value` is not such a record. */
  encode(value: unknown): Buffer {
    let end = this.#write(value);
    while (end < 0) {
      const needed = this.#block.length - this.#at - end;
      this.#block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, 2 * needed));
      this.#at = 0;
      end = this.#write(value);
    }
    const message = this.#block.subarray(this.#at, end);
    this.#at = end;
    return message;
  }

  /** Where the message ends in the block; minus the bytes that it lacks where it does not fit. */
  #write(value: unknown): number {
    const body = this.#at + this.header.length;
    if (body > this.#block.length) return this.#block.length - body;
    this.header.copy(this.#block, this.#at);
    try {
      return this.#type.encode(value, this.#block, body);
    } catch (cause) {
      throw new AustreamError('SCHEMA_INVALID', `not a valid ${this.#record}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }
}
