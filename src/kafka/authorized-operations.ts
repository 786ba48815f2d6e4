import { setTimeout as sleep } from 'node:timers/promises';
import { kafkajsConnection } from './connection.ts';
import { Kafka } from './corrected-kafkajs.ts';
import type { KafkaOptions } from './options.ts';

/** Names and numbers of Kafka's ACL operations. */
const OPERATIONS = { Read: 3, Write: 4, Create: 5, Describe: 8 } as const;
export type Operation = keyof typeof OPERATIONS;
export type Resource = 'topic' | 'group';

/** What the brokers say about one topic or consumer group. */
export type Access =
  /** It exists; `null`: the brokers do not tell the operations. */
  | { readonly state: 'exists'; readonly allows: ReadonlySet<Operation> | null }
  | { readonly state: 'absent' }
  /** Without the right Describe the brokers do not even tell whether it exists. */
  | { readonly state: 'hidden' };

const TOPIC_AUTHORIZATION_FAILED = 29;
const GROUP_AUTHORIZATION_FAILED = 30;
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
/** The brokers give this instead of a bit field when they do not know. */
const OPERATIONS_UNKNOWN = -2_147_483_648;

/** A request and its answer, as kafkajs's connections take them. */
interface Exchange<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: { decode(payload: Buffer): Promise<T>; parse(decoded: T): Promise<T> };
}

interface Broker {
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>>;
  readonly connectionPool: { send<T>(exchange: Exchange<T>): Promise<T> };
}

/** The part of kafkajs's inner cluster client that this needs. */
interface Cluster {
  connect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  disconnect(): Promise<void>;
  findControllerBroker(): Promise<Broker>;
  findBroker(broker: { readonly nodeId: number }): Promise<Broker>;
}

const METADATA = 3;
const FIND_COORDINATOR = 10;
const DESCRIBE_GROUPS = 15;
const INIT_PRODUCER_ID = 22;

const COORDINATOR_NOT_AVAILABLE = 15;
/** On a new cluster the brokers first create the topic of the groups. */
const COORDINATOR_POLLS = 25;
const COORDINATOR_POLL_MS = 200;

/**
 * Asks brokers what this user may do (KIP-430). kafkajs and node-rdkafka lack the versions of the two requests that tell
 * it, so they are written here and sent over a connection of kafkajs. Nothing is changed or written on the brokers.
 */
export class AccessClient {
  readonly #cluster: Cluster;

  constructor(options: KafkaOptions, connectMs: number, retries: number) {
    const kafka = new Kafka({
      ...kafkajsConnection(options),
      connectionTimeout: connectMs,
      requestTimeout: 3 * connectMs,
      retry: { retries },
    });
    // kafkajs is pinned by package-lock.json; a test with a real broker covers this.
    const symbol = Object.getOwnPropertySymbols(kafka).find(
      ({ description }) => description === 'private:Kafka:createCluster',
    )!;
    const createCluster = Reflect.get(kafka, symbol) as (settings: object) => Cluster;
    this.#cluster = createCluster({ metadataMaxAge: 300_000, allowAutoTopicCreation: false });
  }

  async connect(): Promise<void> {
    await this.#cluster.connect();
    // Learns the addresses of all brokers.
    await this.#cluster.refreshMetadata();
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect().catch(() => {});
  }

  /** The access to each topic. Null: these brokers do not tell (Kafka before 2.3). */
  async topics(names: readonly string[]): Promise<Map<string, Access> | null> {
    const broker = await this.#cluster.findControllerBroker();
    const VERSION = 8;
    if (!supports(broker, METADATA, VERSION)) return null;
    return broker.connectionPool.send({
      request: request(METADATA, VERSION, 'Metadata', [strings(names), flag(false), flag(false), flag(true)]),
      response: response((answer) => {
        answer.skip(4);
        answer.array(() => {
          answer.skip(4);
          answer.string();
          answer.skip(4);
          answer.string();
        });
        answer.string();
        answer.skip(4);
        const found = answer.array((): [string, Access] => {
          const error = answer.int16();
          const name = answer.string()!;
          answer.skip(1);
          answer.array(() => {
            answer.skip(2 + 4 + 4 + 4);
            for (let list = 0; list < 3; list += 1) answer.array(() => answer.skip(4));
          });
          return [name, accessOf(error, answer.int32())];
        });
        return new Map(found);
      }),
    });
  }

  /** The access to a consumer group; it need not exist. Null: these brokers do not tell. */
  async group(groupId: string): Promise<Access | null> {
    const { error, nodeId } = await this.#coordinator(groupId, 0);
    if (error === GROUP_AUTHORIZATION_FAILED) return { state: 'hidden' };
    if (error !== 0) return null;
    const broker = await this.#cluster.findBroker({ nodeId });
    const VERSION = 3;
    if (!supports(broker, DESCRIBE_GROUPS, VERSION)) return null;
    const [access] = await broker.connectionPool.send({
      request: request(DESCRIBE_GROUPS, VERSION, 'DescribeGroups', [strings([groupId]), flag(true)]),
      response: response((answer) => {
        answer.skip(4);
        return answer.array(() => {
          const failure = answer.int16();
          for (let field = 0; field < 4; field += 1) answer.string();
          answer.array(() => {
            for (let field = 0; field < 3; field += 1) answer.string();
            for (let bytes = 0; bytes < 2; bytes += 1) answer.skip(Math.max(0, answer.int32()));
          });
          return accessOf(failure, answer.int32());
        });
      }),
    });
    return access ?? null;
  }

  /**
   * The access to a transactional id. Only the first step of a transaction tells it: it gives the id to this client, so
   * it must be one that no producer uses. No transaction begins.
   */
  async transactionalId(id: string): Promise<Access | null> {
    const { error, nodeId } = await this.#coordinator(id, 1);
    if (error === TRANSACTIONAL_ID_AUTHORIZATION_FAILED) return { state: 'hidden' };
    if (error !== 0) return null;
    const broker = await this.#cluster.findBroker({ nodeId });
    const timeoutMs = Buffer.alloc(4);
    timeoutMs.writeInt32BE(1_000);
    const failure = await broker.connectionPool.send({
      request: request(INIT_PRODUCER_ID, 1, 'InitProducerId', [text(id), timeoutMs]),
      response: response((answer) => {
        answer.skip(4);
        return answer.int16();
      }),
    });
    if (failure === TRANSACTIONAL_ID_AUTHORIZATION_FAILED) return { state: 'hidden' };
    return failure === 0 ? { state: 'exists', allows: new Set(['Write', 'Describe'] as const) } : null;
  }

  /** `type`: 0 of a group, 1 of a transactional id. */
  async #coordinator(key: string, type: 0 | 1): Promise<{ error: number; nodeId: number }> {
    const broker = await this.#cluster.findControllerBroker();
    for (let left = COORDINATOR_POLLS; ; left -= 1) {
      const found = await broker.connectionPool.send({
        request: request(FIND_COORDINATOR, 1, 'FindCoordinator', [text(key), Buffer.from([type])]),
        response: response((answer) => {
          answer.skip(4);
          const error = answer.int16();
          answer.string();
          return { error, nodeId: answer.int32() };
        }),
      });
      if (found.error !== COORDINATOR_NOT_AVAILABLE || left === 0) return found;
      await sleep(COORDINATOR_POLL_MS);
    }
  }
}

function supports(broker: Broker, apiKey: number, version: number): boolean {
  return (broker.versions[apiKey]?.maxVersion ?? 0) >= version;
}

function accessOf(error: number, bits: number): Access {
  if (error === TOPIC_AUTHORIZATION_FAILED || error === GROUP_AUTHORIZATION_FAILED)
    return { state: 'hidden' };
  if (error === UNKNOWN_TOPIC_OR_PARTITION) return { state: 'absent' };
  if (bits === OPERATIONS_UNKNOWN) return { state: 'exists', allows: null };
  const names = Object.keys(OPERATIONS) as Operation[];
  return { state: 'exists', allows: new Set(names.filter((name) => bits & (1 << OPERATIONS[name]))) };
}

function request(
  apiKey: number,
  apiVersion: number,
  apiName: string,
  parts: readonly Buffer[],
): Exchange<never>['request'] {
  const buffer = Buffer.concat(parts);
  return { apiKey, apiVersion, apiName, encode: async () => ({ buf: buffer, buffer }) };
}

function response<T>(read: (answer: Answer) => T): Exchange<T>['response'] {
  return { decode: async (payload) => read(new Answer(payload)), parse: async (decoded) => decoded };
}

function strings(texts: readonly string[]): Buffer {
  const count = Buffer.alloc(4);
  count.writeInt32BE(texts.length);
  return Buffer.concat([count, ...texts.map(text)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function flag(value: boolean): Buffer {
  return Buffer.from([value ? 1 : 0]);
}

/** Reads an answer field by field (Kafka's protocol guide, "Protocol Primitive Types"). */
class Answer {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  string(): string | null {
    const length = this.int16();
    if (length < 0) return null;
    this.#at += length;
    return this.#bytes.toString('utf8', this.#at - length, this.#at);
  }

  array<T>(item: () => T): T[] {
    const length = Math.max(0, this.int32());
    return Array.from({ length }, item);
  }
}
