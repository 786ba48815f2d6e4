import { type EachBatchPayload, Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { boundGzip } from '../kafka/bounded-gzip.ts';
import { isKafkajsError } from '../kafka/kafkajs-errors.ts';
import { type DecodedRecord, PoisonError, RecordDecoder } from '../records/decode.ts';
import { SchemaRegistry } from '../records/schema-registry.ts';
import { DeadLetterSink } from './dead-letters.ts';
import type { ConsumedEvent } from './event.ts';
import { GroupMember } from './group-member.ts';
import type { ConsumeOptions, PoisonMessage } from './options.ts';
import { RecentIds } from './recent-ids.ts';
import type { Rendezvous } from './rendezvous.ts';

const DEDUPE_SIZE = 100_000;
/** Characters; an id of austream has less than 150. Longer ones are not remembered: that bounds the memory. */
const MAX_EVENT_ID = 512;
const HEARTBEAT_MS = 3000;
const REGISTRY_SECONDS = 10;
/** Heartbeat errors that mean that the member must rejoin. */
const REJOIN_ERRORS = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'NOT_COORDINATOR_FOR_GROUP',
  'UNKNOWN_MEMBER_ID',
]);

/** Reads batches with kafkajs, decodes them and sends their events one by one. */
export class TopicReader {
  readonly #events: Rendezvous<ConsumedEvent>;
  readonly #decoder: RecordDecoder;
  readonly #member: GroupMember;
  readonly #deadLetters: DeadLetterSink;
  readonly #recentIds: RecentIds | null;

  constructor(options: ConsumeOptions, events: Rendezvous<ConsumedEvent>) {
    this.#events = events;
    const { registry, dedupe } = options;
    this.#decoder = new RecordDecoder(
      registry && new SchemaRegistry({ timeoutSeconds: REGISTRY_SECONDS, ...registry }),
    );
    boundGzip();
    const kafka = new Kafka({
      brokers: [...options.brokers],
      clientId: options.clientId ?? options.groupId,
      logLevel: logLevel.NOTHING,
      ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
      ...(options.sasl === undefined ? {} : { sasl: options.sasl as never }),
    });
    const { groupId, topics, fromBeginning = false, commit = true } = options;
    this.#member = new GroupMember(
      kafka,
      { groupId, topics, fromBeginning, commit },
      (payload) => this.#processBatch(payload),
      (error) => events.close(error),
    );
    this.#deadLetters = new DeadLetterSink(kafka, options);
    this.#recentIds = dedupe ? new RecentIds(dedupe === true ? DEDUPE_SIZE : dedupe) : null;
  }

  start(): Promise<void> {
    return this.#member.start();
  }

  async stop(): Promise<void> {
    await this.#member.stop();
    await this.#deadLetters.close();
  }

  async #processBatch(payload: EachBatchPayload): Promise<void> {
    // The loop's body may run for longer than the session timeout.
    let rejoin: Error | null = null;
    const heartbeats = setInterval(() => {
      payload.heartbeat().catch((error) => {
        if (REJOIN_ERRORS.has(error.type)) rejoin = error;
      });
    }, HEARTBEAT_MS);
    try {
      await this.#processMessages(payload, () => {
        // During a rebalance the group waits for this member, which rejoins after the current message.
        if (rejoin) throw rejoin;
      });
    } catch (error) {
      // kafkajs would silently retry the batch for ever.
      if (!isKafkajsError(error) && !this.#decoder.mayRetry(error)) this.#events.close(error);
      throw error;
    } finally {
      clearInterval(heartbeats);
    }
  }

  /** `checkGroup` runs before each message; what it throws ends the batch. */
  async #processMessages(payload: EachBatchPayload, checkGroup: () => void): Promise<void> {
    const { batch, heartbeat, isRunning, isStale } = payload;
    const { topic, partition } = batch;
    /** Consecutive undecodable messages. They are written together, before any later message counts as read. */
    let poison: PoisonMessage[] = [];
    for (const message of batch.messages) {
      if (!isRunning() || isStale()) return;
      checkGroup();
      const decoded = await this.#decode(topic, partition, message);
      if ('reason' in decoded) {
        poison.push(decoded);
        continue;
      }
      if (poison.length > 0) await this.#deadLetters.accept(poison);
      poison = [];
      if (!(await this.#send(decoded, topic, partition, message))) return;
      await this.#member.markProcessed(payload, message.offset);
    }
    if (poison.length > 0) await this.#deadLetters.accept(poison);
    await this.#member.markProcessed(payload, batch.lastOffset());
    await heartbeat();
  }

  async #decode(
    topic: string,
    partition: number,
    message: KafkaMessage,
  ): Promise<DecodedRecord | PoisonMessage> {
    const { offset, key, value } = message;
    try {
      return await this.#decoder.decode(value);
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      return { topic, partition, offset, key, value, reason: error.reason, detail: error.message };
    }
  }

  /** Sends an event to the iterator and waits until it is processed; false if the iteration ended before. */
  async #send(
    decoded: DecodedRecord,
    topic: string,
    partition: number,
    message: KafkaMessage,
  ): Promise<boolean> {
    const eventId = 'eventId' in decoded.value ? decoded.value.eventId : null;
    const id = eventId !== null && eventId.length <= MAX_EVENT_ID ? eventId : null;
    if (id !== null && this.#recentIds?.has(id)) return true;
    const key = message.key?.toString() ?? null;
    const outcome = await this.#events.send({ ...decoded, topic, partition, offset: message.offset, key });
    if (outcome === 'closed') return false;
    if (id !== null) this.#recentIds?.add(id);
    return true;
  }
}
