import { setTimeout as sleep } from 'node:timers/promises';
import rdkafka from 'node-rdkafka';
import { AustreamError } from '../errors.ts';
import { log } from '../log.ts';
import { rdkafkaConnection } from './connection.ts';
import type { KafkaOptions } from './options.ts';
import { isAuthenticationError, isAuthorizationError, isFatalError } from './rdkafka-errors.ts';

const { CODES } = rdkafka;

const POLL_MS = 100;
/** Few at once: a record of crops has up to 900 kB. */
const MESSAGES_AT_ONCE = 16;
const CALL_MS = 5_000;
const CLOSE_MS = 8_000;
const SEEK_MS = 10_000;
const RETRY_MS = 200;
/** What librdkafka fetches ahead, over all partitions. */
const AHEAD_KBYTES = 32 * 1024;
/** Longest time for which a member may keep the group waiting while it lets go of partitions. */
const REVOKE_MS = 5_000;

/** How often librdkafka tells of its connections. */
const STATISTICS_MS = 2_000;
/** Heartbeats and fetches are answered far more often: a connection silent for so long leads to nobody. */
const SILENCE_MS = 30_000;

const ASSIGN = CODES.ERRORS.ERR__ASSIGN_PARTITIONS;
const REVOKE = CODES.ERRORS.ERR__REVOKE_PARTITIONS;

export interface GroupReaderOptions {
  readonly topic: string;
  readonly group: string;
  readonly sessionSeconds: number;
  /** Where newly assigned partitions begin; `end`: at the next record, until `seek` says otherwise. */
  readonly from: 'beginning' | 'end';
}

export interface GroupReaderEvents {
  assigned(partition: number): void;
  /** Others get the partition when the promise is resolved, or after a few seconds. */
  revoked(partition: number): Promise<void>;
  message(message: rdkafka.Message): void;
  /** Everything that the partition holds has come. */
  caughtUp(partition: number): void;
}

/**
 * A member of a consumer group: cooperative rebalancing, committed data only, never commits by itself. Partitions come
 * and go by themselves, as members do.
 */
export class GroupReader {
  /** For transactions: the group must know the consumer whose offsets they carry. */
  readonly consumer: rdkafka.KafkaConsumer;
  /** Rejects when the brokers refuse this consumer for good. */
  readonly failed: Promise<never>;
  readonly #fail: (error: AustreamError) => void;
  readonly #options: GroupReaderOptions;
  /** Credentials are tokens, fetched anew while connections stand. */
  readonly #tokens: boolean;
  readonly #events: GroupReaderEvents;
  readonly #owned = new Set<number>();
  readonly #paused = new Set<number>();
  #betweenPolls: (() => Promise<void>)[] = [];
  #ends: number[] = [];
  #open = true;
  #connected = false;
  #loop: Promise<void> = Promise.resolve();

  private constructor(kafka: KafkaOptions, options: GroupReaderOptions, events: GroupReaderEvents) {
    this.#options = options;
    this.#tokens = kafka.sasl?.mechanism === 'OAUTHBEARER';
    this.#events = events;
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    promise.catch(() => {});
    const sessionMs = Math.round(options.sessionSeconds * 1000);
    this.consumer = new rdkafka.KafkaConsumer(
      {
        ...rdkafkaConnection(kafka),
        'group.id': options.group,
        'session.timeout.ms': sessionMs,
        'heartbeat.interval.ms': Math.max(500, Math.round(sessionMs / 5)),
        // One that lives, but no longer works, is as bad as dead.
        'max.poll.interval.ms': Math.max(60_000, 3 * sessionMs),
        'partition.assignment.strategy': 'cooperative-sticky',
        'isolation.level': 'read_committed',
        'enable.auto.commit': false,
        'enable.auto.offset.store': false,
        'enable.partition.eof': true,
        'statistics.interval.ms': STATISTICS_MS,
        'queued.max.messages.kbytes': AHEAD_KBYTES,
        rebalance_cb: (error: rdkafka.LibrdKafkaError, partitions: rdkafka.TopicPartition[]) =>
          void this.#onRebalance(error.code, partitions),
      } as rdkafka.ConsumerGlobalConfig,
      { 'auto.offset.reset': 'earliest' },
    );
    this.consumer.on('partition.eof', ({ partition }) => this.#ends.push(partition));
    this.consumer.on('event.stats', ({ message }: { message: string }) => {
      this.#connected = anyBrokerResponds(message, Math.max(SILENCE_MS, sessionMs));
    });
    this.consumer.on('event.error', (error) => this.#onError(error));
  }

  /** Connects and joins the group. Throws KAFKA_UNREACHABLE where no broker answers in time. */
  static async open(
    kafka: KafkaOptions,
    options: GroupReaderOptions,
    events: GroupReaderEvents,
  ): Promise<GroupReader> {
    const reader = new GroupReader(kafka, options, events);
    await new Promise<void>((resolve, reject) => {
      reader.consumer.connect({ timeout: kafka.connectSeconds * 1000 }, (error) => {
        if (!error) return resolve();
        const where = kafka.brokers?.join(', ');
        reject(
          new AustreamError('KAFKA_UNREACHABLE', `Kafka at ${where} does not answer: ${error.message}`, {
            fix: 'check kafka.brokers in the config, and that the brokers run and advertise an address reachable from here',
          }),
        );
      });
    });
    reader.#connected = true;
    reader.consumer.setDefaultConsumeTimeout(POLL_MS);
    reader.consumer.subscribe([options.topic]);
    reader.#loop = reader.#poll();
    return reader;
  }

  get owned(): ReadonlySet<number> {
    return this.#owned;
  }

  /** The consumer group's name. */
  get group(): string {
    return this.#options.group;
  }

  /** Whether a broker answers, as of a few seconds ago. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Offset of the group in a partition, stable: no transaction can change it any more. Null: none yet. */
  async committed(partition: number): Promise<number | null> {
    const found = await promisified<rdkafka.TopicPartitionOffset[]>((done) =>
      this.consumer.committed([{ topic: this.#options.topic, partition }], CALL_MS, done),
    );
    const offset = found[0]?.offset;
    return offset === undefined || offset < 0 ? null : offset;
  }

  /** From here on messages of the partition come from `offset` on; null: from the oldest. */
  async seek(partition: number, offset: number | null): Promise<void> {
    const BEGINNING = -2;
    const place = { topic: this.#options.topic, partition, offset: offset ?? BEGINNING };
    const until = Date.now() + SEEK_MS;
    for (;;) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      // While nothing is polled, nothing from before the seek can come after it.
      this.#betweenPolls.push(() =>
        promisified<void>((done) => this.consumer.seek(place, CALL_MS, done)).then(resolve, reject),
      );
      try {
        await promise;
        return;
      } catch (error) {
        // Right after the assignment librdkafka has not begun with the partition yet.
        const early = (error as rdkafka.LibrdKafkaError).code === CODES.ERRORS.ERR__STATE;
        if (!early || Date.now() > until || !this.#owned.has(partition)) throw error;
      }
    }
  }

  /** No more messages of the partitions that there are; what was fetched may still come. */
  pause(): void {
    const running = [...this.#owned].filter((partition) => !this.#paused.has(partition));
    if (running.length === 0) return;
    this.consumer.pause(this.#topicPartitions(running));
    for (const partition of running) this.#paused.add(partition);
  }

  /** Only what was paused: librdkafka would lose its place in the others. */
  resume(): void {
    if (this.#paused.size === 0) return;
    this.consumer.resume(this.#topicPartitions([...this.#paused]));
    this.#paused.clear();
  }

  /** Leaves the group: others get its partitions at once. */
  async close(): Promise<void> {
    this.#open = false;
    await this.#loop;
    const gone = new Promise<void>((resolve) => {
      this.consumer.disconnect(() => resolve());
    });
    // Brokers that do not answer must not keep the process: the group finds out by itself.
    await Promise.race([gone, sleep(CLOSE_MS, undefined, { ref: false })]);
  }

  #topicPartitions(partitions: readonly number[]): { topic: string; partition: number }[] {
    return partitions.map((partition) => ({ topic: this.#options.topic, partition }));
  }

  async #poll(): Promise<void> {
    while (this.#open) {
      for (const act of this.#betweenPolls.splice(0)) await act();
      try {
        const messages = await promisified<rdkafka.Message[]>((done) =>
          this.consumer.consume(MESSAGES_AT_ONCE, done),
        );
        for (const message of messages) if (this.#owned.has(message.partition)) this.#events.message(message);
      } catch (error) {
        this.#onError(error as rdkafka.LibrdKafkaError);
        await sleep(RETRY_MS);
      }
      for (const partition of this.#ends.splice(0))
        if (this.#owned.has(partition)) this.#events.caughtUp(partition);
    }
  }

  async #onRebalance(code: number, partitions: readonly rdkafka.TopicPartition[]): Promise<void> {
    const numbers = partitions.map(({ partition }) => partition);
    log.debug({ topic: this.#options.topic, partitions: numbers, lost: code === REVOKE }, 'rebalance');
    try {
      // While it closes, a consumer takes no partitions, but waits for an answer.
      if (!this.#open && code === ASSIGN) this.consumer.unassign();
      else if (code === ASSIGN) {
        const offset = this.#options.from === 'end' ? -1 : -2;
        this.consumer.incrementalAssign(partitions.map((one) => ({ ...one, offset })) as never);
        for (const partition of numbers) {
          this.#owned.add(partition);
          this.#events.assigned(partition);
        }
      } else if (code === REVOKE) {
        for (const partition of numbers) this.#owned.delete(partition);
        // librdkafka remembers a pause also of a partition that goes: it would be silent when it comes back.
        const paused = numbers.filter((partition) => this.#paused.delete(partition));
        if (paused.length > 0) this.consumer.resume(this.#topicPartitions(paused));
        await Promise.race([
          Promise.allSettled(numbers.map((partition) => this.#events.revoked(partition))),
          sleep(REVOKE_MS),
        ]);
        this.consumer.incrementalUnassign(partitions as never);
      }
    } catch (error) {
      // The consumer was closed or has lost the group meanwhile: it joins again by itself.
      log.warn({ topic: this.#options.topic }, `rebalance: ${(error as Error).message}`);
    }
  }

  #onError(error: rdkafka.LibrdKafkaError): void {
    const { topic, group } = this.#options;
    if (!this.#open) return;
    if (this.#isPermanent(error))
      this.#fail(
        new AustreamError('KAFKA_REJECTED', `Kafka refuses group ${group} on ${topic}: ${error.message}`, {
          fix: 'check kafka.sasl and kafka.tls in the config, and the rights of this user on topic and group',
          cause: error,
        }),
      );
    else log.debug({ topic, group }, error.message);
  }

  #isPermanent(error: rdkafka.LibrdKafkaError): boolean {
    // Where no token is to be had for a while, connections stand on the one that there is.
    if (isAuthenticationError(error)) return !(this.#tokens && this.#connected);
    return isAuthorizationError(error) || isFatalError(error);
  }
}

/** Whether any connection stands and was not silent for `silenceMs`, by librdkafka's statistics (JSON; `rxidle` in µs). */
function anyBrokerResponds(statistics: string, silenceMs: number): boolean {
  const { brokers } = JSON.parse(statistics) as {
    brokers: Readonly<Record<string, { state: string; rxidle: number }>>;
  };
  return Object.values(brokers).some(({ state, rxidle }) => state === 'UP' && rxidle < silenceMs * 1_000);
}

/** A callback of node-rdkafka as a promise. */
export function promisified<T>(
  work: (done: (error: rdkafka.LibrdKafkaError | null, result: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    work((error, result) => (error ? reject(error) : resolve(result)));
  });
}
