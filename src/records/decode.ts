import { readdirSync, readFileSync } from 'node:fs';
import avro from 'avsc';
import {
  RECORD_NAMES,
  RELEASED_SCHEMAS,
  type RecordName,
  recordType,
  SINGLE_OBJECT_HEADER_BYTES,
  SINGLE_OBJECT_MARKER,
} from './avro.ts';
import { checkCollectionBounds, hasCollections } from './collection-bounds.ts';
import type { DeadLetterReason, Records } from './events.ts';
import { avroFingerprint } from './fingerprint.ts';
import { CONFLUENT_HEADER_BYTES, CONFLUENT_MAGIC, type SchemaRegistry } from './schema-registry.ts';

/** A record with its name: tells the types apart. */
export type DecodedRecord = {
  readonly [R in RecordName]: { readonly record: R; readonly value: Records[R] };
}[RecordName];

/** A message that cannot be read, now or ever. */
export class PoisonError extends Error {
  readonly reason: DeadLetterReason;

  constructor(reason: DeadLetterReason, detail: string, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause });
    this.name = 'PoisonError';
    this.reason = reason;
  }
}

/** A schema that messages were written with, and how its records are read as this version's. */
interface Writer {
  readonly record: RecordName;
  readonly type: avro.Type;
  readonly resolver: avro.Resolver | undefined;
  /** Has arrays or maps, whose counts must be checked before they are believed. */
  readonly collections: boolean;
}

/**
 * Reads messages in both encodings, whichever version of the schema they were written with: what the writer did
 * not know has its default, what this reader does not know is skipped.
 */
export class RecordDecoder {
  readonly #registry: SchemaRegistry | undefined;
  readonly #byFingerprint = new Map<bigint, Writer>();
  readonly #byId = new Map<number, Writer>();

  constructor(registry?: SchemaRegistry) {
    this.#registry = registry;
    for (const record of RECORD_NAMES) {
      this.#know(writerOf(recordType(record)));
      for (const text of releasedSchemas(record)) this.#know(writerOf(avro.Type.forSchema(JSON.parse(text))));
    }
  }

  /**
   * A message's record; a promise only while a registry has to be asked for its schema.
   * Throws (or rejects with) PoisonError.
   */
  decode(message: Buffer | null): DecodedRecord | Promise<DecodedRecord> {
    if (!message || message.length === 0) throw new PoisonError('empty', 'the message has no value');
    if (message[0] === SINGLE_OBJECT_MARKER[0] && message[1] === SINGLE_OBJECT_MARKER[1]) {
      if (message.length < SINGLE_OBJECT_HEADER_BYTES) throw truncated(message);
      const fingerprint = message.readBigUInt64LE(SINGLE_OBJECT_MARKER.length);
      const writer = this.#byFingerprint.get(fingerprint);
      if (writer) return read(writer, message, SINGLE_OBJECT_HEADER_BYTES);
      const hex = fingerprint.toString(16).padStart(16, '0');
      throw new PoisonError('unknown_schema', `no known schema has the fingerprint ${hex}`);
    }
    if (message[0] !== CONFLUENT_MAGIC)
      throw new PoisonError('unknown_format', `begins with 0x${message.toString('hex', 0, 2)}`);
    if (message.length < CONFLUENT_HEADER_BYTES) throw truncated(message);
    const id = message.readUInt32BE(1);
    const writer = this.#byId.get(id);
    if (writer) return read(writer, message, CONFLUENT_HEADER_BYTES);
    const registry = this.#registry;
    if (!registry)
      throw new PoisonError('unknown_schema', `needs schema ${id} of a registry, and none is configured`);
    return this.#fetch(registry, id).then((fetched) => read(fetched, message, CONFLUENT_HEADER_BYTES));
  }

  async #fetch(registry: SchemaRegistry, id: number): Promise<Writer> {
    const text = await registry.schema(id);
    if (text === null) throw new PoisonError('unknown_schema', `the registry has no schema ${id}`);
    let type: avro.Type;
    try {
      type = avro.Type.forSchema(JSON.parse(text));
    } catch (cause) {
      throw new PoisonError('unknown_schema', `schema ${id} of the registry is not an Avro schema`, cause);
    }
    const writer = writerOf(type);
    this.#byId.set(id, writer);
    return writer;
  }

  #know(writer: Writer): void {
    this.#byFingerprint.set(avroFingerprint(writer.type).readBigUInt64LE(), writer);
  }
}

function writerOf(type: avro.Type): Writer {
  const record = RECORD_NAMES.find((name) => type.name === `austream.${name}`);
  if (!record)
    throw new PoisonError(
      'unknown_schema',
      `its schema is of ${type.name ?? type.typeName}, not of austream`,
    );
  const reader = recordType(record);
  try {
    const resolver = type === reader ? undefined : reader.createResolver(type);
    return { record, type, resolver, collections: hasCollections(type) };
  } catch (cause) {
    throw new PoisonError('incompatible_schema', (cause as Error).message, cause);
  }
}

function read(writer: Writer, message: Buffer, headerBytes: number): DecodedRecord {
  const bytes = message.subarray(headerBytes);
  try {
    if (writer.collections) checkCollectionBounds(writer.type, bytes);
    const value = recordType(writer.record).fromBuffer(bytes, writer.resolver);
    return { record: writer.record, value } as DecodedRecord;
  } catch (cause) {
    throw new PoisonError('corrupt', `not a ${writer.record}: ${(cause as Error).message}`, cause);
  }
}

function truncated(message: Buffer): PoisonError {
  return new PoisonError('corrupt', `ends within its header, after ${message.length} bytes`);
}

function releasedSchemas(record: RecordName): string[] {
  const folder = new URL(`${record}/`, RELEASED_SCHEMAS);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.avsc'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'));
}
