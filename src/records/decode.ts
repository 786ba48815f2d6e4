import avro from 'avsc';
import { AustreamError } from '../errors.ts';
import {
  RECORD_NAMES,
  type RecordName,
  recordType,
  releasedSchemas,
  SINGLE_OBJECT_HEADER_BYTES,
  SINGLE_OBJECT_MARKER,
} from './avro.ts';
import { checkBounds } from './bounds.ts';
import type { DeadLetterReason, Records } from './events.ts';
import { avroFingerprint } from './fingerprint.ts';
import { CONFLUENT_HEADER_BYTES, CONFLUENT_MAGIC, type SchemaRegistry } from './schema-registry.ts';
import { checkActivationScores, checkFrameScores } from './score-check.ts';

/** Schemas of a registry that are kept; each record has a few versions. */
const MAX_SCHEMAS = 500;

/** A record and its type, as a discriminated union. */
export type DecodedRecord = {
  readonly [R in RecordName]: { readonly record: R; readonly value: Records[R] };
}[RecordName];

/** A message that can never be decoded (MESSAGE_UNREADABLE). */
export class PoisonError extends AustreamError {
  /** The `reason` of the dead letter. */
  readonly reason: DeadLetterReason;

  constructor(reason: DeadLetterReason, detail: string, cause?: unknown) {
    super('MESSAGE_UNREADABLE', detail, { cause });
    this.name = 'PoisonError';
    this.reason = reason;
  }
}

/** A writer schema and its resolution to this version's schema. */
interface WriterSchema {
  readonly record: RecordName;
  readonly type: avro.Type;
  /** Undefined if the writer schema is this version's. */
  readonly resolver: avro.Resolver | undefined;
}

/**
 * Decodes messages in both encodings and of all schema versions (Avro schema resolution): fields that the writer did not
 * have get their defaults, fields that this version does not have are skipped.
 */
export class RecordDecoder {
  readonly #registry: SchemaRegistry | undefined;
  readonly #byFingerprint = new Map<bigint, WriterSchema>();
  readonly #byId = new Map<number, WriterSchema>();

  constructor(registry?: SchemaRegistry) {
    this.#registry = registry;
    for (const record of RECORD_NAMES) {
      this.#addByFingerprint(recordType(record));
      for (const text of releasedSchemas(record))
        this.#addByFingerprint(avro.Type.forSchema(JSON.parse(text)));
    }
  }

  /**
   * Returns a promise only if the schema must be fetched from the registry. Throws or rejects with PoisonError;
   * rejects with REGISTRY_UNREACHABLE or REGISTRY_REJECTED.
   */
  decode(message: Buffer | null): DecodedRecord | Promise<DecodedRecord> {
    if (!message || message.length === 0) throw new PoisonError('empty', 'the message has no value');
    if (message[0] === SINGLE_OBJECT_MARKER[0] && message[1] === SINGLE_OBJECT_MARKER[1]) {
      if (message.length < SINGLE_OBJECT_HEADER_BYTES) throw truncatedHeader(message);
      const fingerprint = message.readBigUInt64LE(SINGLE_OBJECT_MARKER.length);
      const writer = this.#byFingerprint.get(fingerprint);
      if (writer) return read(writer, message, SINGLE_OBJECT_HEADER_BYTES);
      const hex = fingerprint.toString(16).padStart(16, '0');
      throw new PoisonError('unknown_schema', `no schema of austream has the fingerprint ${hex}`);
    }
    if (message[0] !== CONFLUENT_MAGIC)
      throw new PoisonError(
        'unknown_format',
        `the message begins with 0x${message.toString('hex', 0, 2)}, which no encoding does`,
      );
    if (message.length < CONFLUENT_HEADER_BYTES) throw truncatedHeader(message);
    const id = message.readUInt32BE(1);
    const writer = this.#byId.get(id);
    if (writer) return read(writer, message, CONFLUENT_HEADER_BYTES);
    const registry = this.#registry;
    if (!registry)
      throw new PoisonError(
        'unknown_schema',
        `the message needs schema ${id} of a registry, but no registry is configured`,
      );
    return this.#fetch(registry, id).then((fetched) => read(fetched, message, CONFLUENT_HEADER_BYTES));
  }

  /**
   * Whether decoding a message again can succeed: the registry is away, or it rejects a user that it has accepted before,
   * who may get the right back.
   */
  mayRetry(error: unknown): boolean {
    if (!(error instanceof AustreamError)) return false;
    return error.canRetry || (error.code === 'REGISTRY_REJECTED' && this.#registry?.answered === true);
  }

  async #fetch(registry: SchemaRegistry, id: number): Promise<WriterSchema> {
    const text = await registry.schema(id);
    if (text === null) throw new PoisonError('unknown_schema', `the registry has no schema ${id}`);
    let type: avro.Type;
    try {
      type = avro.Type.forSchema(JSON.parse(text));
    } catch (cause) {
      throw new PoisonError('unknown_schema', `schema ${id} of the registry is not an Avro schema`, cause);
    }
    const writer = writerSchema(type);
    // A registry that an attacker runs has a schema for every id.
    if (this.#byId.size >= MAX_SCHEMAS) this.#byId.clear();
    this.#byId.set(id, writer);
    return writer;
  }

  #addByFingerprint(type: avro.Type): void {
    this.#byFingerprint.set(avroFingerprint(type).readBigUInt64LE(), writerSchema(type));
  }
}

/** Throws PoisonError if the type is not a record of austream or cannot be resolved. */
function writerSchema(type: avro.Type): WriterSchema {
  const record = RECORD_NAMES.find((name) => type.name === `austream.${name}`);
  if (!record)
    throw new PoisonError(
      'unknown_schema',
      `the schema is ${type.name ?? type.typeName}, which is not a record of austream`,
    );
  const reader = recordType(record);
  try {
    const resolver = type === reader ? undefined : reader.createResolver(type);
    return { record, type, resolver };
  } catch (cause) {
    throw new PoisonError('incompatible_schema', (cause as Error).message, cause);
  }
}

function read(writer: WriterSchema, message: Buffer, headerBytes: number): DecodedRecord {
  const bytes = message.subarray(headerBytes);
  try {
    checkBounds(writer.type, bytes);
    const value = recordType(writer.record).fromBuffer(bytes, writer.resolver);
    const decoded = { record: writer.record, value } as DecodedRecord;
    if (decoded.record === 'AuFrame') checkFrameScores(decoded.value);
    else if (decoded.record === 'AuActivation') checkActivationScores(decoded.value);
    return decoded;
  } catch (cause) {
    throw new PoisonError('corrupt', `not a valid ${writer.record}: ${(cause as Error).message}`, cause);
  }
}

function truncatedHeader(message: Buffer): PoisonError {
  return new PoisonError('corrupt', `the message ends within its header, after ${message.length} bytes`);
}
