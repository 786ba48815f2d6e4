import { setTimeout as sleep } from 'node:timers/promises';
import rdkafka from 'node-rdkafka';
import { Backoff } from '../backoff.ts';
import { monotonicMs } from '../clock.ts';
import { AustreamError } from '../errors.ts';
import { log, RepeatedWarning } from '../log.ts';
import { printable } from '../printable.ts';
import { callFailure } from './call-failure.ts';
import { rdkafkaConnection } from './connection.ts';
import { CredentialWatch } from './credential-watch.ts';
import type { DeliveryFailure } from './delivery-policy.ts';
import { unreachableError } from './errors.ts';
import type { KafkaOptions } from './options.ts';
import { promisified } from './promisified.ts';
import { isAuthenticationError, isAuthorizationError, isFatalError } from './rdkafka-errors.ts';

const { CODES } = rdkafka;

const CONSUME_TIMEOUT_MS = 100;
/** Small, because a crop record has up to 900 kB. */
const MAX_MESSAGES_PER_POLL = 16;
const CALL_TIMEOUT_MS = 5_000;
const CLOSE_TIMEOUT_MS = 8_000;
const SEEK_TIMEOUT_MS = 10_000;
/** Between attempts to connect with new credentials. */
const RECONNECT = { firstMs: 250, maxMs: 5_000, jitter: 'equal' } as const;
/**
 * Pause after a failed poll. It is fixed: librdkafka backs off from the brokers by itself, and polls must go on for
 * rebalances and `max.poll.interval.ms`.
 */
const FAILED_POLL_PAUSE_MS = 200;
/** What librdkafka prefetches, over all partitions. */
const PREFETCH_KBYTES = 32 * 1024;
/** Longest time that this member delays a rebalance while it releases partitions. */
const REVOKE_TIMEOUT_MS = 5_000;

/** A topic that is created later, and partitions that are added, are found within this time. */
const METADATA_REFRESH_MS = 10_000;
/** A refusal that does not repeat within this time is over. */
const REFUSAL_MS = 60_000;
/** How often librdkafka reports the state of its connections. */
const STATISTICS_INTERVAL_MS = 2_000;
/** Heartbeats and fetches are answered far more often: a connection that receives nothing for this long is dead. */
const MAX_SILENCE_MS = 30_000;

const ASSIGN = CODES.ERRORS.ERR__ASSIGN_PARTITIONS;
const REVOKE = CODES.ERRORS.ERR__REVOKE_PARTITIONS;

/** A consumed record. */
export type ConsumedMessage = rdkafka.Message;

export interface GroupReaderOptions {
  readonly topic: string;
  readonly group: string;
  readonly sessionSeconds: number;
  /** Where reading of a newly assigned partition starts. `end`: at the next record, until `seek` is called. */
  readonly from: 'beginning' | 'end';
}

export interface GroupReaderEvents {
  assigned(partition: number): void;
  /** The partition goes to another member when the promise resolves, after 5 s in any case. */
  revoked(partition: number): Promise<void>;
  message(message: ConsumedMessage): void;
  /** The reader has reached the end of the partition. */
  caughtUp(partition: number): void;
}

/**
 * A member of a consumer group: cooperative rebalancing, read_committed, no automatic commits. The group assigns and
 * revokes partitions as members join and leave.
 */
export class GroupReader {
  /** Rejects with KAFKA_REJECTED when the brokers reject this consumer for good, and with what `GroupReaderEvents` throw. */
  readonly failed: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #kafka: KafkaOptions;
  readonly #options: GroupReaderOptions;
  /** OAuth tokens are renewed while connections stay open. */
  readonly #usesTokens: boolean;
  readonly #events: GroupReaderEvents;
  readonly #credentials: CredentialWatch;
  #consumer: rdkafka.KafkaConsumer;
  /** The credentials have changed: the poll loop replaces the consumer. */
  #renewalDue = false;
  #renewing = false;
  readonly #closing = new AbortController();
  readonly #owned = new Set<number>();
  readonly #paused = new Set<number>();
  /** Tasks that must not run during a poll, such as a seek. */
  #betweenPolls: (() => Promise<void>)[] = [];
  #partitionsAtEnd: number[] = [];
  #refusal: { readonly failure: DeliveryFailure; readonly since: number; readonly at: number } | null = null;
  /** The group has assigned partitions: this user has the rights, or had them. */
  #hasJoined = false;
  readonly #warning: RepeatedWarning;
  #open = true;
  #connected = false;
  #loop: Promise<void> = Promise.resolve();

  private constructor(kafka: KafkaOptions, options: GroupReaderOptions, events: GroupReaderEvents) {
    this.#kafka = kafka;
    this.#options = options;
    this.#usesTokens = kafka.sasl?.mechanism === 'OAUTHBEARER';
    this.#events = events;
    this.#warning = new RepeatedWarning({ topic: options.topic, group: options.group });
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    promise.catch(() => {});
    this.#credentials = new CredentialWatch(kafka, () => {
      this.#renewalDue = true;
    });
    this.#consumer = this.#createConsumer();
  }

  #createConsumer(): rdkafka.KafkaConsumer {
    const options = this.#options;
    const sessionMs = Math.round(options.sessionSeconds * 1000);
    const consumer: rdkafka.KafkaConsumer = new rdkafka.KafkaConsumer(
      {
        ...rdkafkaConnection(this.#kafka),
        'group.id': options.group,
        'session.timeout.ms': sessionMs,
        'heartbeat.interval.ms': Math.max(500, Math.round(sessionMs / 5)),
        // A member whose poll loop hangs loses its partitions although its heartbeats go on.
        'max.poll.interval.ms': Math.max(60_000, 3 * sessionMs),
        'partition.assignment.strategy': 'cooperative-sticky',
        'isolation.level': 'read_committed',
        'enable.auto.commit': false,
        'enable.auto.offset.store': false,
        'enable.partition.eof': true,
        'topic.metadata.refresh.interval.ms': METADATA_REFRESH_MS,
        'statistics.interval.ms': STATISTICS_INTERVAL_MS,
        'queued.max.messages.kbytes': PREFETCH_KBYTES,
        rebalance_cb: (error: rdkafka.LibrdKafkaError, partitions: rdkafka.TopicPartition[]) =>
          void this.#onRebalance(consumer, error.code, partitions),
      } as rdkafka.ConsumerGlobalConfig,
      { 'auto.offset.reset': 'earliest' },
    );
    const isCurrent = () => consumer === this.#consumer;
    consumer.on('partition.eof', ({ partition }) => isCurrent() && this.#partitionsAtEnd.push(partition));
    consumer.on('event.stats', ({ message }: { message: string }) => {
      if (isCurrent()) this.#connected = anyBrokerResponds(message, Math.max(MAX_SILENCE_MS, sessionMs));
    });
    consumer.on('event.error', (error) => isCurrent() && this.#onError(error));
    return consumer;
  }

  /** Connects and joins the group. Throws KAFKA_UNREACHABLE if no broker answers within `kafka.connectSeconds`. */
  static async open(
    kafka: KafkaOptions,
    options: GroupReaderOptions,
    events: GroupReaderEvents,
  ): Promise<GroupReader> {
    const reader = new GroupReader(kafka, options, events);
    await reader.#connect().catch((error: Error) => {
      reader.#credentials.close();
      throw unreachableError(kafka.brokers, error.message, error);
    });
    // Also after a failure the reader can be closed: it leaves the group.
    reader.#loop = reader.#poll().catch(reader.#fail);
    return reader;
  }

  /** Transactions need its group metadata: offsets of a stale generation are rejected. */
  get consumer(): rdkafka.KafkaConsumer {
    return this.#consumer;
  }

  get owned(): ReadonlySet<number> {
    return this.#owned;
  }

  /** The consumer group's name. */
  get group(): string {
    return this.#options.group;
  }

  /** Whether a broker answers; up to a few seconds old. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Why nothing can be read at present; null: no broker refuses. */
  get refusal(): { cause: string; detail: string; sinceSeconds: number } | null {
    if (this.#refusal === null) return null;
    const { failure, since, at } = this.#refusal;
    const now = monotonicMs();
    // Refusals repeat while partitions are read. A topic that is gone is reported once, and leaves no partitions.
    if (this.#owned.size > 0 && now - at > REFUSAL_MS) return null;
    return { cause: failure.cause, detail: failure.detail, sinceSeconds: (now - since) / 1_000 };
  }

  /** The group's committed offset, after pending transactions ended (stable, KIP-447). Null: none yet. */
  async committed(partition: number, limitMs = CALL_TIMEOUT_MS): Promise<number | null> {
    const found = await promisified<rdkafka.TopicPartitionOffset[]>((done) =>
      this.consumer.committed([{ topic: this.#options.topic, partition }], limitMs, done),
    );
    const offset = found[0]?.offset;
    return offset === undefined || offset < 0 ? null : offset;
  }

  /** The offsets that the partition has: from `oldest`, before `end`. */
  async range(partition: number, limitMs = CALL_TIMEOUT_MS): Promise<{ oldest: number; end: number }> {
    const { topic } = this.#options;
    const found = await promisified<rdkafka.WatermarkOffsets>((done) =>
      this.consumer.queryWatermarkOffsets(topic, partition, limitMs, done),
    );
    return { oldest: found.lowOffset, end: found.highOffset };
  }

  /** The next message of the partition is the one at `offset`; null: the oldest. */
  async seek(partition: number, offset: number | null): Promise<void> {
    const BEGINNING = -2;
    const target = { topic: this.#options.topic, partition, offset: offset ?? BEGINNING };
    const deadline = monotonicMs() + SEEK_TIMEOUT_MS;
    for (;;) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      // Between two polls, so that no message from before the seek is delivered after it.
      this.#betweenPolls.push(() =>
        promisified<void>((done) => this.consumer.seek(target, CALL_TIMEOUT_MS, done)).then(resolve, reject),
      );
      try {
        await promise;
        return;
      } catch (error) {
        // Right after the assignment librdkafka has not started to fetch the partition yet.
        const notStarted = (error as rdkafka.LibrdKafkaError).code === CODES.ERRORS.ERR__STATE;
        if (!notStarted || monotonicMs() > deadline || !this.#owned.has(partition)) throw error;
      }
    }
  }

  /**
   * Pauses these partitions and no others; messages that are already fetched may still arrive. Resumes paused partitions
   * only: librdkafka would lose its position in the others.
   */
  pauseOnly(partitions: ReadonlySet<number>): void {
    const more = [...this.#owned].filter((each) => partitions.has(each) && !this.#paused.has(each));
    const fewer = [...this.#paused].filter((each) => !partitions.has(each));
    if (more.length > 0) this.consumer.pause(this.#topicPartitions(more));
    for (const partition of more) this.#paused.add(partition);
    if (fewer.length > 0) this.consumer.resume(this.#topicPartitions(fewer));
    for (const partition of fewer) this.#paused.delete(partition);
  }

  /** Leaves the group: its partitions are reassigned at once. */
  async close(): Promise<void> {
    this.#open = false;
    this.#closing.abort();
    this.#credentials.close();
    await this.#loop;
    await this.#disconnect();
  }

  async #connect(): Promise<void> {
    const consumer = this.#consumer;
    await promisified<unknown>((done) =>
      consumer.connect({ timeout: this.#kafka.connectSeconds * 1000 }, done),
    );
    this.#connected = true;
    consumer.setDefaultConsumeTimeout(CONSUME_TIMEOUT_MS);
    consumer.subscribe([this.#options.topic]);
  }

  async #disconnect(): Promise<void> {
    const consumer = this.#consumer;
    if (!consumer.isConnected()) return;
    const disconnected = new Promise<void>((resolve) => {
      consumer.disconnect(() => resolve());
    });
    // Without an answer from the brokers the process still ends; the group notices after the session timeout.
    await Promise.race([disconnected, sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
  }

  /**
   * Replaces the consumer by one with the present credentials. It leaves the group and joins it again: its partitions
   * are revoked and assigned as in any rebalance.
   */
  async #renew(): Promise<void> {
    const { topic, group } = this.#options;
    log.info({ topic, group }, `the credentials for Kafka have changed: ${group} connects again`);
    this.#renewing = true;
    await this.#disconnect();
    // Brokers that do not answer revoke nothing.
    const left = [...this.#owned];
    this.#owned.clear();
    this.#paused.clear();
    await Promise.race([
      Promise.allSettled(left.map((partition) => this.#events.revoked(partition))),
      sleep(REVOKE_TIMEOUT_MS),
    ]);
    this.#partitionsAtEnd = [];
    this.#connected = false;
    this.#renewing = false;
    const backoff = new Backoff(RECONNECT);
    while (this.#open) {
      // Further changes are in this consumer, too.
      this.#renewalDue = false;
      try {
        this.#consumer = this.#createConsumer();
        return await this.#connect();
      } catch (error) {
        log.warn({ topic, group }, `${group} cannot connect: ${printable((error as Error).message)}`);
        await this.#disconnect();
        await backoff.wait(this.#closing.signal);
      }
    }
  }

  #topicPartitions(partitions: readonly number[]): { topic: string; partition: number }[] {
    return partitions.map((partition) => ({ topic: this.#options.topic, partition }));
  }

  async #poll(): Promise<void> {
    while (this.#open) {
      if (this.#renewalDue) await this.#renew();
      if (!this.#open) return;
      for (const task of this.#betweenPolls.splice(0)) await task();
      const messages = await this.#consume();
      if (messages.length > 0) this.#refusal = null;
      for (const message of messages) if (this.#owned.has(message.partition)) this.#events.message(message);
      for (const partition of this.#partitionsAtEnd.splice(0))
        if (this.#owned.has(partition)) this.#events.caughtUp(partition);
    }
  }

  async #consume(): Promise<rdkafka.Message[]> {
    try {
      return await promisified<rdkafka.Message[]>((done) =>
        this.consumer.consume(MAX_MESSAGES_PER_POLL, done),
      );
    } catch (error) {
      this.#onError(error as rdkafka.LibrdKafkaError);
      await sleep(FAILED_POLL_PAUSE_MS);
      return [];
    }
  }

  /** librdkafka remembers the pause of a revoked partition: it would deliver nothing when assigned again. */
  #forgetPaused(consumer: rdkafka.KafkaConsumer, revoked: readonly number[]): void {
    const paused = revoked.filter((partition) => this.#paused.delete(partition));
    // A consumer that is being closed resumes nothing, but must still answer: else it would not leave the group.
    if (paused.length > 0 && this.#open && !this.#renewing) consumer.resume(this.#topicPartitions(paused));
  }

  async #onRebalance(
    consumer: rdkafka.KafkaConsumer,
    code: number,
    partitions: readonly rdkafka.TopicPartition[],
  ): Promise<void> {
    const numbers = partitions.map(({ partition }) => partition);
    log.debug({ topic: this.#options.topic, partitions: numbers, lost: code === REVOKE }, 'rebalance');
    try {
      // A closing reader accepts no partitions, but librdkafka still waits for the answer to the rebalance.
      if (code === ASSIGN && (!this.#open || this.#renewing)) consumer.unassign();
      // Answers a rebalance of a consumer that was given up: its partitions were revoked then.
      else if (consumer !== this.#consumer) consumer.incrementalUnassign(partitions as never);
      else if (code === ASSIGN) {
        const offset = this.#options.from === 'end' ? -1 : -2;
        consumer.incrementalAssign(partitions.map((assigned) => ({ ...assigned, offset })) as never);
        this.#hasJoined = true;
        if (numbers.length > 0) this.#refusal = null;
        for (const partition of numbers) {
          this.#owned.add(partition);
          this.#events.assigned(partition);
        }
      } else if (code === REVOKE) {
        for (const partition of numbers) this.#owned.delete(partition);
        this.#forgetPaused(consumer, numbers);
        await Promise.race([
          Promise.allSettled(numbers.map((partition) => this.#events.revoked(partition))),
          sleep(REVOKE_TIMEOUT_MS),
        ]);
        consumer.incrementalUnassign(partitions as never);
      }
    } catch (error) {
      // The consumer was closed or lost its membership meanwhile. It joins again by itself.
      log.warn({ topic: this.#options.topic }, `rebalance: ${(error as Error).message}`);
    }
  }

  #onError(error: rdkafka.LibrdKafkaError): void {
    const { topic, group } = this.#options;
    if (!this.#open) return;
    if (this.#isPermanent(error))
      this.#fail(
        new AustreamError(
          'KAFKA_REJECTED',
          `Kafka rejects group ${group} on ${topic}: ${printable(error.message)}`,
          {
            fix: 'check kafka.sasl and kafka.tls in the config, and the rights of this user on topic and group',
            cause: error,
          },
        ),
      );
    else {
      const failure = callFailure(error);
      if (failure.verdict === 'hold') this.#onRefused(failure);
      else log.debug({ topic, group }, error.message);
    }
  }

  #onRefused(failure: DeliveryFailure): void {
    const { topic, group } = this.#options;
    const at = monotonicMs();
    const since = this.refusal === null ? at : this.#refusal!.since;
    this.#refusal = { failure, since, at };
    this.#warning.warn(`group ${group} cannot read ${topic}: ${printable(failure.detail)}`);
  }

  #isPermanent(error: rdkafka.LibrdKafkaError): boolean {
    // While the token endpoint is unreachable, open connections keep working with their current token.
    if (isAuthenticationError(error)) return !(this.#usesTokens && this.#connected);
    // Rights that were taken away come back.
    if (isAuthorizationError(error)) return !this.#hasJoined;
    return isFatalError(error);
  }
}

/** Whether any connection is up and has received something within `silenceMs`. `statistics`: librdkafka's JSON, `rxidle` in µs. */
function anyBrokerResponds(statistics: string, silenceMs: number): boolean {
  const { brokers } = JSON.parse(statistics) as {
    brokers: Readonly<Record<string, { state: string; rxidle: number }>>;
  };
  return Object.values(brokers).some(({ state, rxidle }) => state === 'UP' && rxidle < silenceMs * 1_000);
}
