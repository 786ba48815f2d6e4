import { readFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { AustreamError } from '../errors.ts';
import { printable } from '../printable.ts';
import { registerSecrets } from '../redaction.ts';

const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';
/** Confluent wire format: a zero byte, then the schema's id (4 bytes, big-endian), then Avro binary. */
export const CONFLUENT_MAGIC = 0;
export const CONFLUENT_HEADER_BYTES = 5;

/** Compatibility level that austream sets on its subjects. */
const COMPATIBILITY = 'FULL_TRANSITIVE';

/** Answers that are kept, by schema id and by subject. */
const MAX_CACHED = 500;
/** The longest text of a registry that an error quotes. */
const MAX_REASON = 300;
/** A schema of ours has 10 kB. */
const MAX_RESPONSE_BYTES = 256 << 10;
const MAX_ID = 0xffff_ffff;
/** Registries answer an id that cannot exist in different ways. A message names the id, so none may end its consumer. */
const NO_SUCH_ID = new Set([400, 404, 422]);

class ResponseTooLarge extends Error {
  constructor() {
    super(`the response is larger than ${MAX_RESPONSE_BYTES >> 10} KiB`);
  }
}

/** The header of messages of a registered schema. */
export function confluentHeader(id: number): Buffer {
  const header = Buffer.alloc(CONFLUENT_HEADER_BYTES, CONFLUENT_MAGIC);
  header.writeUInt32BE(id, 1);
  return header;
}

/** How to reach a registry. */
export interface RegistryAccess {
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM file of the CA that signed the registry's certificate. */
  readonly ca?: string | undefined;
  readonly timeoutSeconds: number;
}

/**
 * A client for schema registries with Confluent's API. Responses are cached, because the meaning of an id never changes.
 * Each call makes one attempt: callers retry errors that `canRetry`. Throws REGISTRY_UNREACHABLE or REGISTRY_REJECTED.
 */
export class SchemaRegistry {
  readonly #options: RegistryAccess;
  readonly #ca: string | undefined;
  readonly #schemas = new Map<number, Promise<string | null>>();
  readonly #ids = new Map<string, Promise<number>>();

  constructor(options: RegistryAccess) {
    this.#options = options;
    registerSecrets([options.password]);
    this.#ca = options.ca === undefined ? undefined : readFileSync(options.ca, 'utf8');
  }

  /** Registers a schema and sets the subject's compatibility to FULL_TRANSITIVE. Returns the schema id. */
  register(subject: string, schema: string): Promise<number> {
    return this.#cached(this.#ids, `register ${subject} ${schema}`, async () => {
      const path = `/subjects/${encodeURIComponent(subject)}/versions`;
      const id = this.#schemaId(await this.#call<{ id?: unknown }>('POST', path, { schema }));
      await this.#call('PUT', `/config/${encodeURIComponent(subject)}`, { compatibility: COMPATIBILITY });
      return id;
    });
  }

  /** The id of a schema that is already registered under the subject. Throws REGISTRY_REJECTED if it is not. */
  lookup(subject: string, schema: string): Promise<number> {
    return this.#cached(this.#ids, `lookup ${subject} ${schema}`, async () => {
      const path = `/subjects/${encodeURIComponent(subject)}`;
      return this.#schemaId(await this.#call<{ id?: unknown }>('POST', path, { schema }));
    });
  }

  /** The text of the schema with this id; null if the registry has none, or one that is too large to be austream's. */
  schema(id: number): Promise<string | null> {
    return this.#cached(this.#schemas, id, async () => {
      const response = await this.#call<{ schema?: unknown } | null>(
        'GET',
        `/schemas/ids/${id}`,
        undefined,
        null,
      ).catch((error: Error) => {
        // A message names the id: one of a foreign schema must not stop its consumer.
        if (error.cause instanceof ResponseTooLarge) return null;
        throw error;
      });
      if (response === null) return null;
      if (typeof response.schema !== 'string') throw this.#malformed(`schema ${id} as no text`);
      return response.schema;
    });
  }

  #schemaId({ id }: { id?: unknown }): number {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= MAX_ID) return id;
    throw this.#malformed('no schema id');
  }

  #malformed(what: string): AustreamError {
    return this.#error(
      'REGISTRY_UNREACHABLE',
      `answers with ${what}`,
      'check that kafka.registry.url is the URL of a registry with Confluent’s API',
    );
  }

  /** Caches successful responses only: after a failure the next call sends a new request. */
  #cached<K, V>(cache: Map<K, Promise<V>>, key: K, request: () => Promise<V>): Promise<V> {
    let response = cache.get(key);
    if (!response) {
      // Corrupt messages can name any id. This bounds the cache.
      if (cache.size >= MAX_CACHED) cache.clear();
      response = request();
      cache.set(key, response);
      response.catch(() => cache.delete(key));
    }
    return response;
  }

  /** `notFound` is returned if the registry has nothing of this name; without it that is an error. */
  async #call<T>(method: string, path: string, body?: unknown, notFound?: T): Promise<T> {
    const { status, text } = await this.#exchange(method, path, body);
    let json: { message?: string } | null = null;
    try {
      json = JSON.parse(text);
    } catch {
      // Perhaps a proxy answered with HTML. For errors the HTTP status is enough.
    }
    if (status >= 200 && status < 300) {
      if (method === 'PUT' || (json !== null && typeof json === 'object')) return json as T;
      throw this.#error(
        'REGISTRY_UNREACHABLE',
        `answers ${method} ${decodeURIComponent(path)} without JSON`,
        'check whether a proxy in front of the registry shows a maintenance page',
      );
    }
    if (notFound !== undefined && NO_SUCH_ID.has(status)) return notFound;
    const why = typeof json?.message === 'string' ? printable(json.message, MAX_REASON) : `HTTP ${status}`;
    if (status === 401 || status === 403)
      throw this.#error(
        'REGISTRY_REJECTED',
        `rejects this user: ${why}`,
        'check kafka.registry.username and password',
      );
    if (status >= 500)
      throw this.#error('REGISTRY_UNREACHABLE', `fails: ${why}`, 'look at the log of the registry');
    throw this.#error(
      'REGISTRY_REJECTED',
      `rejects ${method} ${decodeURIComponent(path)}: ${why}`,
      status === 409
        ? 'the subject has an incompatible schema of another program or version: use another kafka.topicPrefix'
        : 'check that kafka.registry.url is the URL of a registry with Confluent’s API',
    );
  }

  #exchange(method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
    const { url, username, password, timeoutSeconds } = this.#options;
    const target = new URL(url.replace(/\/+$/, '') + path);
    const send = target.protocol === 'https:' ? tlsRequest : plainRequest;
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutSeconds * 1000);
      const fail = (error: Error) => {
        const cause = signal.aborted ? new Error(`no response within ${timeoutSeconds} s`) : error;
        reject(
          this.#error(
            'REGISTRY_UNREACHABLE',
            `does not answer: ${printable(cause.message, MAX_REASON)}`,
            'check kafka.registry.url and kafka.registry.ca',
            cause,
          ),
        );
      };
      const request = send(
        target,
        {
          method,
          headers: { accept: CONTENT_TYPE, 'content-type': CONTENT_TYPE },
          // Of the whole exchange: a timeout of the socket would begin again with every byte.
          signal,
          ...(username === undefined ? {} : { auth: `${username}:${password ?? ''}` }),
          ...(this.#ca === undefined ? {} : { ca: this.#ca }),
        },
        (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > MAX_RESPONSE_BYTES) request.destroy(new ResponseTooLarge());
            else chunks.push(chunk);
          });
          response.on('error', fail);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
          );
        },
      );
      request.on('error', fail);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  #error(code: 'REGISTRY_UNREACHABLE' | 'REGISTRY_REJECTED', what: string, fix: string, cause?: unknown) {
    return new AustreamError(code, `the schema registry at ${this.#options.url} ${what}`, { fix, cause });
  }
}
