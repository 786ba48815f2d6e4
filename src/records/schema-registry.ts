import { readFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { AustreamError } from '../errors.ts';

const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';
/** Confluent wire format: a zero byte, then the schema's id (4 bytes, big-endian), then Avro binary. */
export const CONFLUENT_MAGIC = 0;
export const CONFLUENT_HEADER_BYTES = 5;

/** The compatibility that austream keeps and asks registries to keep. */
export const COMPATIBILITY = 'FULL_TRANSITIVE';

const MAX_KEPT = 10_000;

/** The header that names a registered schema. */
export function confluentHeader(id: number): Buffer {
  const header = Buffer.alloc(CONFLUENT_HEADER_BYTES, CONFLUENT_MAGIC);
  header.writeUInt32BE(id, 1);
  return header;
}

/** Where a registry is and how it is used. */
export interface RegistryAccess {
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM file of the authority that signed the registry's certificate. */
  readonly ca?: string | undefined;
  readonly timeoutSeconds: number;
}

/** A client of a schema registry with Confluent's API; answers are kept, for ids never change their meaning. */
export class SchemaRegistry {
  readonly #options: RegistryAccess;
  readonly #ca: string | undefined;
  readonly #schemas = new Map<number, Promise<string | null>>();
  readonly #ids = new Map<string, Promise<number>>();

  constructor(options: RegistryAccess) {
    this.#options = options;
    this.#ca = options.ca === undefined ? undefined : readFileSync(options.ca, 'utf8');
  }

  /** Registers a schema under a subject, whose compatibility becomes FULL_TRANSITIVE; returns its id. */
  register(subject: string, schema: string): Promise<number> {
    return this.#once(this.#ids, `register ${subject} ${schema}`, async () => {
      const path = `/subjects/${encodeURIComponent(subject)}/versions`;
      const { id } = await this.#call<{ id: number }>('POST', path, { schema });
      await this.#call('PUT', `/config/${encodeURIComponent(subject)}`, { compatibility: COMPATIBILITY });
      return id;
    });
  }

  /** The id of a schema that is registered under a subject already. */
  lookup(subject: string, schema: string): Promise<number> {
    return this.#once(this.#ids, `lookup ${subject} ${schema}`, async () => {
      const { id } = await this.#call<{ id: number }>('POST', `/subjects/${encodeURIComponent(subject)}`, {
        schema,
      });
      return id;
    });
  }

  /** The text of the schema with this id; null where there is none. */
  schema(id: number): Promise<string | null> {
    return this.#once(this.#schemas, id, async () => {
      const answer = await this.#call<{ schema: string } | null>(
        'GET',
        `/schemas/ids/${id}`,
        undefined,
        null,
      );
      return answer === null ? null : answer.schema;
    });
  }

  /** Keeps what succeeded; what failed is asked again next time. */
  #once<K, V>(cache: Map<K, Promise<V>>, key: K, ask: () => Promise<V>): Promise<V> {
    let answer = cache.get(key);
    if (!answer) {
      // Damaged messages can name any id: forget the lot before it grows.
      if (cache.size >= MAX_KEPT) cache.clear();
      answer = ask();
      cache.set(key, answer);
      answer.catch(() => cache.delete(key));
    }
    return answer;
  }

  /** `missing` is the answer where the registry knows no such thing. */
  async #call<T>(method: string, path: string, body?: unknown, missing?: T): Promise<T> {
    const { status, text } = await this.#exchange(method, path, body);
    let answer: { message?: string } | null = null;
    try {
      answer = JSON.parse(text);
    } catch {
      // Not the registry itself, perhaps a proxy: an error's status says enough.
    }
    if (status >= 200 && status < 300) {
      if (method === 'PUT' || (answer !== null && typeof answer === 'object')) return answer as T;
      throw this.#error(
        'REGISTRY_UNREACHABLE',
        `answers ${method} ${decodeURIComponent(path)} with what is no JSON`,
        'look what stands before it: a proxy’s page of maintenance?',
      );
    }
    if (status === 404 && missing !== undefined) return missing;
    const why = answer?.message ?? `HTTP ${status}`;
    if (status === 401 || status === 403)
      throw this.#error('REGISTRY_REJECTED', `refuses: ${why}`, 'check kafka.registry.username and password');
    if (status >= 500)
      throw this.#error('REGISTRY_UNREACHABLE', `fails: ${why}`, 'look at the registry’s own log');
    throw this.#error(
      'REGISTRY_REJECTED',
      `rejects ${method} ${decodeURIComponent(path)}: ${why}`,
      status === 409
        ? 'the subject holds a schema of another program or version: choose another kafka.topicPrefix'
        : 'check that kafka.registry.url is a registry with Confluent’s API',
    );
  }

  #exchange(method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
    const { url, username, password, timeoutSeconds } = this.#options;
    const target = new URL(url.replace(/\/+$/, '') + path);
    const send = target.protocol === 'https:' ? tlsRequest : plainRequest;
    return new Promise((resolve, reject) => {
      const fail = (cause: Error) =>
        reject(
          this.#error(
            'REGISTRY_UNREACHABLE',
            `does not answer: ${cause.message}`,
            'check kafka.registry.url and ca',
            cause,
          ),
        );
      const request = send(
        target,
        {
          method,
          headers: { accept: CONTENT_TYPE, 'content-type': CONTENT_TYPE },
          timeout: timeoutSeconds * 1000,
          ...(username === undefined ? {} : { auth: `${username}:${password ?? ''}` }),
          ...(this.#ca === undefined ? {} : { ca: this.#ca }),
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', fail);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
          );
        },
      );
      request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutSeconds} s`)));
      request.on('error', fail);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  #error(code: 'REGISTRY_UNREACHABLE' | 'REGISTRY_REJECTED', what: string, fix: string, cause?: unknown) {
    return new AustreamError(code, `the schema registry at ${this.#options.url} ${what}`, { fix, cause });
  }
}
