import { type Consumer, type EachBatchPayload, Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { kafkaFailure } from '../publish/failure.ts';
import { SchemaRegistry } from '../publish/registry.ts';
import { DeadLetters } from './deadletter.ts';
import { type DecodedRecord, PoisonError, RecordDecoder } from './decode.ts';
import { Handoff } from './handoff.ts';
import type { ConsumeOptions, PoisonMessage } from './options.ts';
import { RecentIds } from './recent.ts';

export type * from './events.ts';
export type { ConsumeOptions, PoisonMessage } from './options.ts';

/** Where an event stood. */
export interface EventPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** `cameraId/trackId`, or `cameraId` for CameraStatus. */
  readonly key: string | null;
}

/** An event with its record's name, which tells the types apart: `if (event.record === 'AuFrame') event.value.aus…` */
export type ConsumedEvent = DecodedRecord & EventPlace;

const DEDUPE_SIZE = 100_000;
const COMMIT_INTERVAL_MS = 1000;
const HEARTBEAT_MS = 3000;
const REGISTRY_SECONDS = 10;

/**
 * Events of austream's topics, in order per key, each at least once:
 *
 *     for await (const event of consume({ brokers: ['localhost:9092'], topics: ['au.frames'], groupId: 'mine' }))
 *       if (event.record === 'AuFrame') console.log(event.value.cameraId, event.value.aus.au12?.p);
 *
 * An event counts as read when the body has run for it: leaving the loop (or a crash) in its body brings it
 * again next time. Outages of the brokers are waited out. Throws AustreamError where no broker can be reached
 * at the start, or one refuses.
 */
export async function* consume(options: ConsumeOptions): AsyncGenerator<ConsumedEvent, void, void> {
  const handoff = new Handoff<ConsumedEvent>();
  const stop = () => handoff.end();
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted) return;
  const reader = new TopicReader(options, handoff);
  try {
    await reader.start();
    for (let event = await handoff.take(); event; event = await handoff.take()) {
      yield event;
      handoff.done();
    }
  } catch (error) {
    throw kafkaFailure(error, options.brokers, options.topics);
  } finally {
    options.signal?.removeEventListener('abort', stop);
    handoff.end();
    await reader.stop();
  }
}

/** Reads batches with kafkajs and offers their events one by one. */
class TopicReader {
  readonly #options: ConsumeOptions;
  readonly #handoff: Handoff<ConsumedEvent>;
  readonly #decoder: RecordDecoder;
  readonly #consumer: Consumer;
  readonly #deadLetters: DeadLetters;
  readonly #seen: RecentIds | null;

  constructor(options: ConsumeOptions, handoff: Handoff<ConsumedEvent>) {
    this.#options = options;
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
    this.#consumer = kafka.consumer({ groupId: options.groupId });
    this.#deadLetters = new DeadLetters(kafka, options);
    this.#seen = dedupe ? new RecentIds(dedupe === true ? DEDUPE_SIZE : dedupe) : null;
  }

  async start(): Promise<void> {
    const { topics, fromBeginning = false, commit = true } = this.#options;
    this.#consumer.on('consumer.crash', ({ payload }) => {
      // kafkajs restarts by itself where that can help.
      if (!payload.restart) this.#handoff.end(payload.error);
    });
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [...topics], fromBeginning });
    await this.#consumer.run({
      autoCommit: commit,
      autoCommitInterval: COMMIT_INTERVAL_MS,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.#batch(payload),
    });
  }

  async stop(): Promise<void> {
    await this.#consumer.disconnect().catch(() => {});
    await this.#deadLetters.close();
  }

  async #batch({
    batch,
    resolveOffset,
    heartbeat,
    commitOffsetsIfNecessary,
    isRunning,
    isStale,
  }: EachBatchPayload) {
    // A body may take its time: the group must not think that this member has died.
    const alive = setInterval(() => heartbeat().catch(() => {}), HEARTBEAT_MS);
    const { topic, partition } = batch;
    /** A run of messages that cannot be decoded goes together, before anything after it counts as read. */
    let poison: PoisonMessage[] = [];
    try {
      for (const message of batch.messages) {
        if (!isRunning() || isStale()) return;
        const decoded = await this.#decode(topic, partition, message);
        if ('reason' in decoded) {
          poison.push(decoded);
          continue;
        }
        if (poison.length > 0) await this.#deadLetters.take(poison);
        poison = [];
        if (!(await this.#offer(decoded, topic, partition, message))) return;
        resolveOffset(message.offset);
        await commitOffsetsIfNecessary();
      }
      if (poison.length > 0) await this.#deadLetters.take(poison);
      resolveOffset(batch.lastOffset());
      await heartbeat();
    } finally {
      clearInterval(alive);
    }
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
