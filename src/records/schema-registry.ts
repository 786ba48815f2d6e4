import { monotonicMs, wallMs } from '../clock.ts';
import { AustreamError } from '../errors.ts';
import { printable } from '../printable.ts';
import { registerSecrets } from '../redaction.ts';
import { judge, type RegistryAnswer } from './registry-answer.ts';
import { exchange, type RegistryAccess, ResponseTooLarge } from './registry-http.ts';

export type { RegistryAccess } from './registry-http.ts';

/** Confluent wire format: a zero byte, then the schema's id (4 bytes, big-endian), then Avro binary. */
export const CONFLUENT_MAGIC = 0;
export const CONFLUENT_HEADER_BYTES = 5;

/** Schemas that are kept, by id. */
const MAX_CACHED = 500;
const MAX_REASON = 300;
/** Registries count ids in a signed integer of 32 bits: no schema has a larger id. */
const MAX_ID = 0x7fff_ffff;
/**
 * A replica that lags, or a registry that still reads its own topic after a restart, does not know a schema either: an id
 * counts as unknown only when the registry has said so for this long, without an outage in between.
 */
const UNKNOWN_SECONDS = 60;
/** How long the answer "no such schema" is kept. */
const UNKNOWN_CACHED_MS = 10_000;
/** An id that was not asked for in this time is new again. */
const UNKNOWN_FORGOTTEN_MS = 300_000;

/** The header of messages of a registered schema. */
export function confluentHeader(id: number): Buffer {
  const header = Buffer.alloc(CONFLUENT_HEADER_BYTES, CONFLUENT_MAGIC);
  header.writeUInt32BE(id, 1);
  return header;
}

/** A schema under a subject: `id` is null if the registry does not have it there. */
export interface SubjectLookup {
  readonly id: number | null;
  readonly subjectExists: boolean;
}

export interface RegistryClientOptions {
  /** How long the registry must not know an id until it counts as unknown; replaced in tests. */
  readonly unknownSeconds?: number;
  /** Another client of this process was already accepted. */
  readonly answered?: boolean;
  /** Ends requests that are under way. */
  readonly signal?: AbortSignal;
}

interface UnknownId {
  readonly sinceMs: number;
  readonly askedMs: number;
}

/**
 * A client for schema registries with Confluent's API. Each call makes one attempt at most: callers retry. Throws
 * REGISTRY_UNREACHABLE for every state that passes by itself, REGISTRY_REJECTED for one that a person must cure.
 */
export class SchemaRegistry {
  readonly #access: RegistryAccess;
  readonly #signal: AbortSignal | undefined;
  readonly #unknownMs: number;
  readonly #schemas = new Map<number, string>();
  readonly #requests = new Map<number, Promise<string | null>>();
  readonly #unknown = new Map<number, UnknownId>();
  #answered: boolean;
  /** The registry asked for a pause (`Retry-After`) until then, on the monotonic clock. */
  #pause: { readonly untilMs: number; readonly error: AustreamError } | null = null;

  constructor(access: RegistryAccess, options: RegistryClientOptions = {}) {
    const { unknownSeconds = UNKNOWN_SECONDS, answered = false, signal } = options;
    this.#answered = answered;
    this.#access = access;
    this.#signal = signal;
    this.#unknownMs = unknownSeconds * 1000;
    registerSecrets([access.password]);
  }

  /** Whether the registry has ever accepted a request of this client: then a rejection may pass. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Looks a schema up under a subject. */
  async lookup(subject: string, schema: string): Promise<SubjectLookup> {
    const answer = await this.#call('POST', subjectPath(subject), { schema });
    if (answer.kind === 'absent') return { id: null, subjectExists: answer.what !== 'subject' };
    return { id: this.#schemaId(answer.json), subjectExists: true };
  }

  /** Registers a schema under a subject and returns its id; the id of an equal one if there is one. */
  async register(subject: string, schema: string): Promise<number> {
    const path = `${subjectPath(subject)}/versions`;
    return this.#schemaId(await this.#present('POST', path, { schema }));
  }

  /** Numbers of the subject's versions. */
  async versions(subject: string): Promise<number[]> {
    const answer = await this.#call('GET', `${subjectPath(subject)}/versions`);
    if (answer.kind === 'absent') return [];
    if (Array.isArray(answer.json)) return answer.json;
    throw this.#malformed('no list of versions');
  }

  /** The compatibility level of a subject, or of the registry for null; null if it has none. */
  async compatibility(subject: string | null): Promise<string | null> {
    const answer = await this.#call('GET', configPath(subject));
    if (answer.kind === 'absent') return null;
    const { compatibilityLevel } = answer.json as { compatibilityLevel?: unknown };
    if (typeof compatibilityLevel === 'string') return compatibilityLevel;
    throw this.#malformed('no compatibility level');
  }

  async setCompatibility(subject: string, compatibility: string): Promise<void> {
    await this.#present('PUT', configPath(subject), { compatibility });
  }

  /**
   * The text of the schema with this id. Null if the registry has none, or one that is too large to be austream's; a
   * registry that does not know the id must say so for a minute first, until then it throws REGISTRY_UNREACHABLE.
   */
  schema(id: number): Promise<string | null> {
    const known = this.#schemas.get(id);
    if (known !== undefined) return Promise.resolve(known);
    if (id > MAX_ID) return Promise.resolve(null);
    let request = this.#requests.get(id);
    if (!request) {
      request = this.#fetch(id).finally(() => this.#requests.delete(id));
      this.#requests.set(id, request);
    }
    return request;
  }

  async #fetch(id: number): Promise<string | null> {
    const now = monotonicMs();
    const before = this.#unknown.get(id);
    if (before && this.#isUnknown(before) && now - before.askedMs < UNKNOWN_CACHED_MS) return null;
    const answer = await this.#call('GET', `/schemas/ids/${id}`).catch((error: Error) => {
      // A message names the id: one of a foreign schema must not stop its consumer.
      if (error.cause instanceof ResponseTooLarge && error.cause.status === 200) return null;
      throw error;
    });
    if (answer === null) return null;
    if (answer.kind === 'absent') {
      if (answer.what !== 'schema') throw this.#malformed(`the absence of a ${answer.what} for schema ${id}`);
      const isNew = !before || now - before.askedMs > UNKNOWN_FORGOTTEN_MS;
      const unknown = { sinceMs: isNew ? now : before.sinceMs, askedMs: now };
      remember(this.#unknown, id, unknown);
      if (this.#isUnknown(unknown)) return null;
      throw this.#error(
        'REGISTRY_UNREACHABLE',
        `does not know schema ${id} yet: ${answer.why}`,
        `after ${this.#unknownMs / 1000} s the message counts as one of an unknown schema`,
      );
    }
    const { schema } = answer.json as { schema?: unknown };
    if (typeof schema !== 'string') throw this.#malformed(`schema ${id} as no text`);
    this.#unknown.delete(id);
    remember(this.#schemas, id, schema);
    return schema;
  }

  #isUnknown({ sinceMs, askedMs }: UnknownId): boolean {
    return askedMs - sinceMs >= this.#unknownMs;
  }

  #schemaId(json: object): number {
    const { id } = json as { id?: unknown };
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= MAX_ID) return id;
    throw this.#malformed('no schema id');
  }

  /** A call whose thing must exist. */
  async #present(method: string, path: string, body: object): Promise<object> {
    const answer = await this.#call(method, path, body);
    if (answer.kind === 'ok') return answer.json;
    throw this.#error(
      'REGISTRY_REJECTED',
      `rejects ${method} ${decodeURIComponent(path)}: ${answer.why}`,
      'check that kafka.registry.url is the URL of a registry with Confluent’s API',
    );
  }

  async #call(
    method: string,
    path: string,
    body?: object,
  ): Promise<Extract<RegistryAnswer, { kind: 'ok' | 'absent' }>> {
    if (this.#pause && monotonicMs() < this.#pause.untilMs) throw this.#pause.error;
    const response = await exchange(this.#access, { method, path, body, signal: this.#signal }).catch(
      (error: Error) => {
        throw this.#outage(
          `does not answer: ${printable(error.message, MAX_REASON)}`,
          'check kafka.registry.url and kafka.registry.ca',
          error,
        );
      },
    );
    const answer = judge(`${method} ${decodeURIComponent(path)}`, response, wallMs());
    switch (answer.kind) {
      case 'ok':
      case 'absent':
        this.#answered = true;
        return answer;
      case 'outage': {
        const error = this.#outage(answer.why, answer.fix);
        if (answer.retryAfterMs > 0) this.#pause = { untilMs: monotonicMs() + answer.retryAfterMs, error };
        throw error;
      }
      case 'rejected':
        throw this.#error('REGISTRY_REJECTED', answer.why, answer.fix);
    }
  }

  #malformed(what: string): AustreamError {
    return this.#outage(
      `answers with ${what}`,
      'check that kafka.registry.url is the URL of a registry with Confluent’s API',
    );
  }

  /** After an outage the registry may still be starting: what it does not know then proves nothing. */
  #outage(what: string, fix: string, cause?: unknown): AustreamError {
    this.#unknown.clear();
    return this.#error('REGISTRY_UNREACHABLE', what, fix, cause);
  }

  #error(code: 'REGISTRY_UNREACHABLE' | 'REGISTRY_REJECTED', what: string, fix: string, cause?: unknown) {
    return new AustreamError(code, `the schema registry at ${this.#access.url} ${what}`, { fix, cause });
  }
}

/** Corrupt messages can name any id: the size is bounded. */
function remember<V>(map: Map<number, V>, id: number, value: V): void {
  if (map.size >= MAX_CACHED && !map.has(id)) map.clear();
  map.set(id, value);
}

function subjectPath(subject: string): string {
  return `/subjects/${encodeURIComponent(subject)}`;
}

function configPath(subject: string | null): string {
  return subject === null ? '/config' : `/config/${encodeURIComponent(subject)}`;
}
