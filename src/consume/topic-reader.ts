import { type EachBatchPayload, type KafkaMessage, type LogEntry, logLevel } from 'kafkajs';
import { boundGzip } from '../kafka/bounded-gzip.ts';
import { kafkajsBrokers } from '../kafka/broker-address.ts';
import { Kafka } from '../kafka/corrected-kafkajs.ts';
import { isKafkajsError, isRebalance, rebalanceError } from '../kafka/kafkajs-errors.ts';
import { PoisonError, RecordDecoder } from '../records/decode.ts';
import { SchemaRegistry } from '../records/schema-registry.ts';
import { DeadLetterSink } from './dead-letters.ts';
import type { ConsumedEvent, EventPlace } from './event.ts';
import { GroupMember } from './group-member.ts';
import type { ConsumeOptions, ConsumeStats, PoisonMessage } from './options.ts';
import { RecentIds } from './recent-ids.ts';
import type { Rendezvous } from './rendezvous.ts';
import { ConsumerReporter } from './reporter.ts';

const DEDUPE_SIZE = 100_000;
/** Characters; an id of austream has less than 150. Longer ones are not remembered: that bounds the memory. */
const MAX_EVENT_ID = 512;
const HEARTBEAT_MS = 3000;
const REGISTRY_SECONDS = 10;
/** Interval of looking for lag and for added partitions. */
const LAG_MS = 10_000;
/** kafkajs tells of an offset out of range only in its log. */
const OUT_OF_RANGE = 'Offset out of range, resetting to default offset';

/** A record of austream or a tombstone, without its place. */
type Decoded = ConsumedEvent extends infer E
  ? E extends unknown
    ? Omit<E, keyof EventPlace>
    : never
  : never;

/** Reads batches with kafkajs, decodes them and sends their events one by one. */
export class TopicReader {
  readonly #options: ConsumeOptions;
  readonly #events: Rendezvous<ConsumedEvent>;
  readonly #decoder: RecordDecoder;
  readonly #member: GroupMember;
  readonly #deadLetters: DeadLetterSink;
  readonly #recentIds: RecentIds | null;
  readonly #reporter: ConsumerReporter;
  readonly #counts = { events: 0, undecodable: 0, duplicates: 0 };
  #lagTimer: NodeJS.Timeout | undefined;

  constructor(options: ConsumeOptions, events: Rendezvous<ConsumedEvent>) {
    this.#options = options;
    this.#events = events;
    this.#reporter = new ConsumerReporter(options, (error) => events.close(error));
    const { registry, dedupe } = options;
    this.#decoder = new RecordDecoder(
      registry && new SchemaRegistry({ timeoutSeconds: REGISTRY_SECONDS, ...registry }),
    );
    boundGzip();
    const kafka = new Kafka({
      ...kafkajsBrokers(options.brokers),
      clientId: options.clientId ?? options.groupId,
      logLevel: logLevel.ERROR,
      logCreator: () => (entry) => this.#heard(entry),
      ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
      ...(options.sasl === undefined ? {} : { sasl: options.sasl as never }),
    });
    const { groupId, topics, fromBeginning = false, commit = true } = options;
    this.#member = new GroupMember(
      kafka,
      { groupId, topics, fromBeginning, commit },
      {
        batch: (payload) => this.#processBatch(payload),
        reset: (reset) => this.#reporter.reset(reset),
        retrying: (error) => this.#reporter.retrying('brokers', error),
        failed: (error) => events.close(error),
      },
    );
    this.#deadLetters = new DeadLetterSink(kafka, options);
    this.#recentIds = dedupe ? new RecentIds(dedupe === true ? DEDUPE_SIZE : dedupe) : null;
  }

  async start(): Promise<void> {
    await this.#member.start();
    this.#lagTimer = setTimeout(() => this.#lookAtLag(), LAG_MS);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#lagTimer);
    await this.#member.stop();
    clearTimeout(this.#lagTimer);
    await this.#deadLetters.close();
  }

  stats(): ConsumeStats {
    return {
      ...{ joined: this.#member.joined, ...this.#counts, resets: this.#reporter.resets },
      ...{ partitions: this.#member.lags(), retrying: this.#reporter.retries },
    };
  }

  #heard({ log }: LogEntry): void {
    if (log.message === OUT_OF_RANGE)
      this.#member.outOfRange({ topic: log.topic as string, partition: log.partition as number });
  }

  async #lookAtLag(): Promise<void> {
    try {
      // What fails here fails in the member, too, which tells it.
      await this.#member.refreshEnds().catch(() => {});
      this.#options.onLag?.(this.#member.lags());
    } catch (error) {
      this.#events.close(error);
    }
    if (!this.#events.isClosed) this.#lagTimer = setTimeout(() => this.#lookAtLag(), LAG_MS);
  }

  async #processBatch(payload: EachBatchPayload): Promise<void> {
    if (!this.#member.continues(payload)) return;
    // The loop's body may run for longer than the session timeout.
    let rejoin: Error | null = null;
    const heartbeats = setInterval(() => {
      payload.heartbeat().catch((error) => {
        if (isRebalance(error)) rejoin = error;
      });
    }, HEARTBEAT_MS);
    try {
      await this.#processMessages(payload, async () => {
        // During a rebalance the group waits for this member, which rejoins after the current message.
        if (this.#member.mustRejoin) rejoin ??= rebalanceError('partitions were added');
        if (!rejoin) return;
        await this.#member.commitBeforeRejoin(payload);
        throw rejoin;
      });
    } catch (error) {
      // kafkajs would silently retry the batch for ever.
      if (isKafkajsError(error) || isRebalance(error)) throw error;
      if (this.#decoder.mayRetry(error)) this.#reporter.retrying('registry', error as Error);
      else this.#events.close(error);
      throw error;
    } finally {
      clearInterval(heartbeats);
    }
  }

  /** `checkGroup` runs before each message; what it throws ends the batch. */
  async #processMessages(payload: EachBatchPayload, checkGroup: () => Promise<void>): Promise<void> {
    const { batch, heartbeat, isRunning, isStale } = payload;
    const { topic, partition } = batch;
    const { generation } = this.#member;
    /** Consecutive undecodable messages. They are written together, before any later message counts as read. */
    let poison: PoisonMessage[] = [];
    for (const message of batch.messages) {
      if (!isRunning() || isStale() || this.#member.generation !== generation) return;
      await checkGroup();
      const verdict = this.#member.examine(topic, partition, message);
      if (verdict === 'reset') return;
      if (verdict === 'skip') continue;
      const decoded = await this.#decode(topic, partition, message);
      if ('reason' in decoded) {
        poison.push(decoded);
        continue;
      }
      await this.#bury(poison);
      poison = [];
      if (!(await this.#send(decoded, topic, partition, message))) return;
      if (this.#member.generation !== generation) return;
      await this.#member.markProcessed(payload, message);
    }
    await this.#bury(poison);
    if (this.#member.generation !== generation) return;
    await this.#member.markBatchProcessed(payload);
    await heartbeat();
  }

  async #decode(topic: string, partition: number, message: KafkaMessage): Promise<Decoded | PoisonMessage> {
    const { offset, key, value } = message;
    if (value === null) return { record: 'Tombstone', value };
    try {
      const decoded = await this.#decoder.decode(value);
      this.#reporter.retrying('registry', null);
      return decoded;
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      return { topic, partition, offset, key, value, reason: error.reason, detail: error.message };
    }
  }

  async #bury(poison: readonly PoisonMessage[]): Promise<void> {
    if (poison.length === 0) return;
    await this.#deadLetters.accept(poison);
    this.#counts.undecodable += poison.length;
  }

  /** Sends an event to the iterator and waits until it is processed; false if the iteration ended before. */
  async #send(decoded: Decoded, topic: string, partition: number, message: KafkaMessage): Promise<boolean> {
    const eventId = decoded.value && 'eventId' in decoded.value ? decoded.value.eventId : null;
    const id = eventId !== null && eventId.length <= MAX_EVENT_ID ? eventId : null;
    if (id !== null && this.#recentIds?.has(id)) {
      this.#counts.duplicates += 1;
      return true;
    }
    const key = message.key?.toString() ?? null;
    const outcome = await this.#events.send({ ...decoded, topic, partition, offset: message.offset, key });
    if (outcome === 'closed') return false;
    if (id !== null) this.#recentIds?.add(id);
    this.#counts.events += 1;
    return true;
  }
}
