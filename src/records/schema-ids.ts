import { setTimeout as sleep } from 'node:timers/promises';
import avro from 'avsc';
import { Backoff } from '../backoff.ts';
import { monotonicMs } from '../clock.ts';
import { AustreamError } from '../errors.ts';
import type { KafkaOptions, RegistryOptions } from '../kafka/options.ts';
import { log, RepeatedWarning } from '../log.ts';
import {
  isSingleObject,
  RECORD_NAMES,
  type RecordName,
  recordType,
  releasedSchemas,
  SINGLE_OBJECT_HEADER_BYTES,
  SINGLE_OBJECT_MARKER,
  schemaText,
} from './avro.ts';
import { avroFingerprint } from './fingerprint.ts';
import { type RememberedSchema, readRemembered, writeRemembered } from './remembered-ids.ts';
import { confluentHeader, SchemaRegistry } from './schema-registry.ts';
import { subjectOf, subjectSchemaId } from './subjects.ts';

const RETRY = { firstMs: 250, maxMs: 10_000, jitter: 'equal' } as const;
/** A registry that lost its contents gets the schemas again after this time. */
const CHECK_MS = 30_000;
/** How long a start with a folder waits for the first answers. */
const FIRST_ANSWER_MS = 2_000;
/** Schemas of other versions in the folder's file. */
const MAX_REMEMBERED = 40;

export interface SchemaIdsOptions {
  readonly registry: RegistryOptions;
  readonly topicPrefix: string;
  /** The start needs the schemas of these records; the subject of each is `<topic>-value`. */
  readonly records: readonly RecordName[];
  /** Where ids are remembered: the folder of the spool. Null: the start waits for the registry. */
  readonly folder: string | null;
  /** How long a start without a folder waits for the registry. */
  readonly connectSeconds: number;
  /** Interval of the checks; default 30 s. */
  readonly checkMs?: number;
  /** A header became known, or the reason why one is unknown has changed. */
  readonly changed?: (ids: SchemaIds) => void;
}

/** Causes of an unknown header. docs/delivery.md explains them. */
export const HEADER_HOLDS = ['registry_unreachable', 'registry_rejected', 'schema_unknown'] as const;

/** Why a header is unknown. */
export interface HeaderHold {
  readonly cause: (typeof HEADER_HOLDS)[number];
  readonly detail: string;
}

/** A schema under its subject. */
interface SubjectSchema {
  readonly subject: string;
  readonly schema: string;
}

interface HeldSchema extends SubjectSchema {
  id: number | null;
  header: Buffer | null;
  /** Only schemas of records that are sent are looked up and registered. */
  wanted: boolean;
  /** Why the id could not be found or checked. */
  error: AustreamError | null;
}

const WAITING: HeaderHold = {
  cause: 'registry_unreachable',
  detail: 'the schema registry has not answered yet',
};

/**
 * The message headers (Confluent wire format) of schemas, by the schemas' fingerprints. Records are encoded without the
 * registry: their header is needed only when they are sent. The ids are resolved in the background, without end. Known
 * ids are checked again and again: a registry may have lost its contents.
 */
export class SchemaIds {
  readonly #options: SchemaIdsOptions;
  readonly #registry: SchemaRegistry;
  readonly #schemas = new Map<bigint, HeldSchema>();
  /** Schemas that are looked up when a record of theirs is sent: of rare records, and of older versions in the spool. */
  readonly #later = new Map<bigint, SubjectSchema>();
  readonly #closing = new AbortController();
  readonly #warning = new RepeatedWarning({});
  /** Ends the wait for the next round. */
  #wake = new AbortController();

  /**
   * Without a folder it resolves when all ids are known, and throws REGISTRY_UNREACHABLE or REGISTRY_REJECTED if they
   * are not within `connectSeconds`. With a folder a registry that is away does not stop it; it throws
   * REGISTRY_REJECTED if the registry refuses an id that is not remembered.
   */
  static async open(options: SchemaIdsOptions): Promise<SchemaIds> {
    const ids = new SchemaIds(options);
    try {
      await ids.#start();
    } catch (error) {
      ids.close();
      throw error;
    }
    return ids;
  }

  private constructor(options: SchemaIdsOptions) {
    const { folder, records, topicPrefix, registry } = options;
    this.#options = options;
    this.#registry = new SchemaRegistry(registry, { signal: this.#closing.signal });
    for (const record of RECORD_NAMES) {
      const subject = subjectOf(topicPrefix, record);
      for (const schema of releasedSchemas(record))
        this.#later.set(fingerprintOf(avro.Type.forSchema(JSON.parse(schema))), { subject, schema });
      this.#later.set(fingerprintOf(recordType(record)), { subject, schema: schemaText(record) });
    }
    for (const record of records) {
      const fingerprint = fingerprintOf(recordType(record));
      this.#add(fingerprint, this.#later.get(fingerprint)!, true);
    }
    for (const remembered of folder === null ? [] : readRemembered(folder, registry.url))
      this.#restore(remembered);
    this.#remember();
  }

  /** The header (5 bytes) of messages of this schema; null while its id is unknown. */
  header(fingerprint: bigint): Buffer | null {
    const known = this.#schemas.get(fingerprint);
    if (known?.wanted) return known.header;
    const schema = known ?? this.#later.get(fingerprint);
    if (!schema) return null;
    const added = this.#add(fingerprint, schema, true);
    this.#remember();
    this.#wake.abort();
    return added.header;
  }

  /** A message in single-object encoding as it is sent: with its schema's header; null while that is unknown. */
  toConfluent(message: Buffer): Buffer | null {
    // An earlier process may have spooled messages that already have their header.
    if (!isSingleObject(message)) return message;
    const header = this.header(message.readBigUInt64LE(SINGLE_OBJECT_MARKER.length));
    if (header === null) return null;
    const body = message.subarray(SINGLE_OBJECT_HEADER_BYTES);
    return Buffer.concat([header, body], header.length + body.length);
  }

  /** Why the header of this schema is unknown; null if it is known. */
  hold(fingerprint: bigint): HeaderHold | null {
    const known = this.#schemas.get(fingerprint);
    if (known?.header) return null;
    if (known?.error)
      return {
        cause: known.error.code === 'REGISTRY_REJECTED' ? 'registry_rejected' : 'registry_unreachable',
        detail: known.error.message,
      };
    if (known || this.#later.has(fingerprint)) return WAITING;
    return {
      cause: 'schema_unknown',
      detail: `no schema has the fingerprint ${hexOf(fingerprint)}: start the version that wrote the spool`,
    };
  }

  /** Ends all requests. */
  close(): void {
    this.#closing.abort();
    this.#wake.abort();
  }

  async #start(): Promise<void> {
    const { folder, connectSeconds } = this.#options;
    if (folder === null) {
      await this.#resolveWithin(connectSeconds * 1000);
      void this.#keep();
      return;
    }
    const firstRound = this.#keep();
    // Remembered ids wait too: a registry that lost its contents gives an id to another schema.
    await Promise.race([firstRound, sleep(FIRST_ANSWER_MS, undefined, { ref: false })]);
    const rejected = this.#missing.find(({ error }) => error?.code === 'REGISTRY_REJECTED');
    if (rejected) throw rejected.error;
  }

  async #resolveWithin(timeoutMs: number): Promise<void> {
    const deadline = monotonicMs() + timeoutMs;
    const backoff = new Backoff(RETRY);
    for (;;) {
      const error = await this.#round();
      if (!error) return;
      if (error.code === 'REGISTRY_REJECTED' || monotonicMs() > deadline) throw error;
      await backoff.wait(this.#closing.signal);
    }
  }

  /** Resolves after the first round; further rounds follow until it is closed. */
  async #keep(backoff = new Backoff(RETRY)): Promise<void> {
    this.#wake = new AbortController();
    const error = await this.#round();
    if (this.#closing.signal.aborted) return;
    if (!error) backoff.reset();
    else
      this.#warning.warn(
        `schema ids cannot be ${this.#missing.length > 0 ? 'found' : 'checked'}: ${error.message}`,
      );
    const { signal } = this.#wake;
    void sleep(error ? backoff.next() : (this.#options.checkMs ?? CHECK_MS), undefined, {
      signal,
      ref: false,
    })
      .catch(() => {})
      .then(() => (this.#closing.signal.aborted ? undefined : this.#keep(backoff)));
  }

  /** One attempt for each schema. Returns the first error. */
  async #round(): Promise<AustreamError | null> {
    let first: AustreamError | null = null;
    for (const schema of this.#schemas.values()) {
      if (!schema.wanted) continue;
      const error = await this.#resolve(schema);
      if (this.#closing.signal.aborted) return error;
      first ??= error;
      if (error?.message !== schema.error?.message) {
        schema.error = error;
        if (!schema.header) this.#options.changed?.(this);
      }
      // The registry is away for the others too.
      if (error?.code === 'REGISTRY_UNREACHABLE') break;
    }
    return first;
  }

  async #resolve(schema: HeldSchema): Promise<AustreamError | null> {
    const { registry } = this.#options;
    try {
      const id = await subjectSchemaId(this.#registry, registry, schema.subject, schema.schema);
      if (id !== schema.id && !this.#closing.signal.aborted) this.#setId(schema, id);
      return null;
    } catch (error) {
      if (error instanceof AustreamError) return error;
      return new AustreamError('REGISTRY_UNREACHABLE', (error as Error).message, { cause: error });
    }
  }

  #setId(schema: HeldSchema, id: number): void {
    const { subject, id: before } = schema;
    if (before !== null)
      log.warn(
        { subject, before, id },
        `${subject}: the registry’s id of the schema is now ${id}, it was ${before}; messages with the old id may be unreadable`,
      );
    schema.id = id;
    schema.header = confluentHeader(id);
    schema.error = null;
    this.#remember();
    this.#options.changed?.(this);
  }

  get #missing(): HeldSchema[] {
    return [...this.#schemas.values()].filter(({ wanted, header }) => wanted && header === null);
  }

  #add(fingerprint: bigint, { subject, schema }: SubjectSchema, wanted: boolean): HeldSchema {
    const known = this.#schemas.get(fingerprint);
    const held = known ?? { subject, schema, id: null, header: null, wanted, error: null };
    held.wanted ||= wanted;
    this.#schemas.set(fingerprint, held);
    return held;
  }

  #restore({ fingerprint, subject, schema, id }: RememberedSchema): void {
    const held = this.#add(BigInt(`0x${fingerprint}`), { subject, schema }, false);
    // Another topic prefix has other subjects, whose ids may differ.
    if (held.subject !== subject || id === null) return;
    held.id = id;
    held.header = confluentHeader(id);
  }

  /** The current schemas come first: they are in the file before a record of theirs is in the spool. */
  #remember(): void {
    const { folder, registry } = this.#options;
    if (folder === null) return;
    const schemas = [...this.#schemas]
      .slice(0, MAX_REMEMBERED)
      .map(([fingerprint, { subject, schema, id }]) => ({
        fingerprint: hexOf(fingerprint),
        subject,
        schema,
        id,
      }));
    try {
      writeRemembered(folder, registry.url, schemas);
    } catch (error) {
      this.#warning.warn(`schema ids cannot be remembered in ${folder}: ${(error as Error).message}`);
    }
  }
}

function fingerprintOf(type: avro.Type): bigint {
  return avroFingerprint(type).readBigUInt64LE();
}

function hexOf(fingerprint: bigint): string {
  return fingerprint.toString(16).padStart(16, '0');
}

/**
 * The message headers of these records from the registry of the config; empty without one. Throws REGISTRY_UNREACHABLE
 * or REGISTRY_REJECTED if they are not known within `connectSeconds`.
 */
export async function registerSchemas(
  {
    registry,
    topicPrefix,
    connectSeconds,
  }: Pick<KafkaOptions, 'registry' | 'topicPrefix' | 'connectSeconds'>,
  records: readonly RecordName[],
): Promise<ReadonlyMap<RecordName, Buffer>> {
  if (!registry) return new Map();
  const ids = await SchemaIds.open({ registry, topicPrefix, records, folder: null, connectSeconds });
  const headers = records.map((record): [RecordName, Buffer] => [
    record,
    ids.header(fingerprintOf(recordType(record)))!,
  ]);
  ids.close();
  return new Map(headers);
}
