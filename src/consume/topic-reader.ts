import { type EachBatchPayload, Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { AustreamError } from '../errors.ts';
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
const HEARTBEAT_MS = 3000;
const REGISTRY_SECONDS = 10;
/** Answers to a heartbeat after which a member has to join again. */
const REJOIN = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'NOT_COORDINATOR_FOR_GROUP',
  'UNKNOWN_MEMBER_ID',
]);

/** Reads batches with kafkajs and offers their events one by one. */
export class TopicReader {
  readonly #handoff: Rendezvous<ConsumedEvent>;
  readonly #decoder: RecordDecoder;
  readonly #member: GroupMember;
  readonly #deadLetters: DeadLetterSink;
  readonly #seen: RecentIds | null;

  constructor(options: ConsumeOptions, handoff: Rendezvous<ConsumedEvent>) {
    this.#handoff = handoff;
    const { registry, dedupe } = options;
    this.#decoder = new RecordDecoder(
      registry && new SchemaRegistry({ timeoutSeconds: REGISTRY_SECONDS, ...registry }),
    );
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
      (payload) => this.#batch(payload),
      (error) => handoff.end(error),
    );
    this.#deadLetters = new DeadLetterSink(kafka, options);
    this.#seen = dedupe ? new RecentIds(dedupe === true ? DEDUPE_SIZE : dedupe) : null;
  }

  start(): Promise<void> {
    return this.#member.start();
  }

  async stop(): Promise<void> {
    await this.#member.stop();
    await this.#deadLetters.close();
  }

  async #batch(payload: EachBatchPayload): Promise<void> {
    // A body may take its time: the group must not think that this member has died.
    let rejoin: Error | null = null;
    const alive = setInterval(() => {
      payload.heartbeat().catch((error) => {
        if (REJOIN.has(error.type)) rejoin = error;
      });
    }, HEARTBEAT_MS);
    try {
      await this.#pass(payload, () => {
        // The others of the group wait for this member, but not beyond the message in hand.
        if (rejoin) throw rejoin;
      });
    } catch (error) {
      // kafkajs would try the batch again and again, and tell nobody.
      if (!isKafkajsError(error) && !(error instanceof AustreamError && error.canRetry))
        this.#handoff.end(error);
      throw error;
    } finally {
      clearInterval(alive);
    }
  }

  /** Throws what `check` throws before a message. */
  async #pass(payload: EachBatchPayload, check: () => void): Promise<void> {
    const { batch, heartbeat, isRunning, isStale } = payload;
    const { topic, partition } = batch;
    /** A run of messages that cannot be decoded goes together, before anything after it counts as read. */
    let poison: PoisonMessage[] = [];
    for (const message of batch.messages) {
      if (!isRunning() || isStale()) return;
      check();
      const decoded = await this.#decode(topic, partition, message);
      if ('reason' in decoded) {
        poison.push(decoded);
        continue;
      }
      if (poison.length > 0) await this.#deadLetters.accept(poison);
      poison = [];
      if (!(await this.#offer(decoded, topic, partition, message))) return;
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

  /** Hands an event over and waits for it to be dealt with; false where the receiver left. */
  async #offer(
    decoded: DecodedRecord,
    topic: string,
    partition: number,
    message: KafkaMessage,
  ): Promise<boolean> {
    const id = 'eventId' in decoded.value ? decoded.value.eventId : null;
    if (id !== null && this.#seen?.has(id)) return true;
    const key = message.key?.toString() ?? null;
    const outcome = await this.#handoff.offer({ ...decoded, topic, partition, offset: message.offset, key });
    if (outcome === 'left') return false;
    if (id !== null) this.#seen?.add(id);
    return true;
  }
}
