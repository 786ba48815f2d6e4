import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { Backoff } from '../backoff.ts';
import { rootCause } from '../kafka/kafkajs-errors.ts';

export interface MemberOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly fromBeginning: boolean;
  /** False: this member keeps the offsets in memory and commits none. */
  readonly commit: boolean;
}

const COMMIT_INTERVAL_MS = 1000;
/** kafkajs's default for consumers; setting `retry` would replace it by the general default. */
const RETRIES = 5;
/** On top of kafkajs's own retries. */
const REJOIN = { firstMs: 500, maxMs: 2000, jitter: 'equal' } as const;

/**
 * A member of a consumer group that rejoins after outages without end. kafkajs's own restarts are off: they give up when
 * the group coordinator cannot be reached, and a restart in progress cannot be cancelled.
 */
export class GroupMember {
  readonly #options: MemberOptions;
  readonly #consumer: Consumer;
  readonly #onBatch: (payload: EachBatchPayload) => Promise<void>;
  readonly #onFailure: (error: Error) => void;
  readonly #backoff = new Backoff(REJOIN);
  /** Next offset of each partition, used without `commit`: kafkajs then forgets its position on each join. */
  readonly #positions = new Map<string, { topic: string; partition: number; offset: string }>();
  #started = false;
  #joined = false;
  #hasEverJoined = false;
  #stopping = false;
  #rejoinTimer: NodeJS.Timeout | undefined;

  /** `onFailure` receives errors that rejoining does not cure. */
  constructor(
    kafka: Kafka,
    options: MemberOptions,
    onBatch: (payload: EachBatchPayload) => Promise<void>,
    onFailure: (error: Error) => void,
  ) {
    this.#options = options;
    this.#onBatch = onBatch;
    this.#onFailure = onFailure;
    this.#consumer = kafka.consumer({
      groupId: options.groupId,
      allowAutoTopicCreation: false,
      retry: { retries: RETRIES, restartOnFailure: async () => false },
    });
    this.#consumer.on('consumer.group_join', ({ payload }) => this.#joinedGroup(payload.memberAssignment));
    this.#consumer.on('consumer.crash', ({ payload }) => this.#leftGroup(payload.error));
  }

  async start(): Promise<void> {
    await this.#consumer.connect();
    const { topics, fromBeginning } = this.#options;
    await this.#consumer.subscribe({ topics: [...topics], fromBeginning });
    this.#started = true;
    await this.#run();
  }

  /** All messages of this batch up to `offset` are processed. */
  async markProcessed(payload: EachBatchPayload, offset: string): Promise<void> {
    payload.resolveOffset(offset);
    if (this.#options.commit) return payload.commitOffsetsIfNecessary();
    const { topic, partition } = payload.batch;
    this.#positions.set(`${topic}/${partition}`, { topic, partition, offset: String(BigInt(offset) + 1n) });
  }

  /** Leaves the group. During an outage it resolves at once; the pending attempt of kafkajs then ends by itself. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#rejoinTimer);
    // A join in progress cannot be cancelled: it ends in #joinedGroup or #leftGroup.
    if (this.#joined || !this.#started) await this.#disconnect();
  }

  async #run(): Promise<void> {
    const { commit } = this.#options;
    await this.#consumer.run({
      autoCommit: commit,
      // With an interval kafkajs commits even without autoCommit.
      ...(commit ? { autoCommitInterval: COMMIT_INTERVAL_MS } : {}),
      eachBatchAutoResolve: false,
      eachBatch: this.#onBatch,
    });
  }

  #joinedGroup(assignment: Readonly<Record<string, number[]>>): void {
    this.#joined = this.#hasEverJoined = true;
    this.#backoff.reset();
    if (this.#stopping) {
      // kafkajs emits this event a moment before the consumer can be disconnected.
      setImmediate(() => void this.#disconnect());
      return;
    }
    for (const position of this.#positions.values())
      if (assignment[position.topic]?.includes(position.partition)) this.#consumer.seek(position);
  }

  #leftGroup(error: Error): void {
    this.#joined = false;
    if (this.#stopping) return;
    if (isOutage(error, this.#hasEverJoined))
      this.#rejoinTimer = setTimeout(() => void this.#run(), this.#backoff.next());
    else this.#onFailure(error);
  }

  async #disconnect(): Promise<void> {
    await this.#consumer.disconnect().catch(() => {});
  }
}

/**
 * Whether the error is an outage that will pass. A missing coordinator counts only if this member has joined before:
 * otherwise the brokers may be unable to provide one at all.
 */
function isOutage(error: Error, hasEverJoined: boolean): boolean {
  const { name, retriable } = rootCause(error) as Error & { retriable?: boolean };
  if (name === 'KafkaJSGroupCoordinatorNotFound') return hasEverJoined;
  return error.name === 'KafkaJSNumberOfRetriesExceeded' || retriable === true;
}
