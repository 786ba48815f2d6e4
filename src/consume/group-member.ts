import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { rootCause } from '../kafka/kafkajs-errors.ts';

export interface MemberOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly fromBeginning: boolean;
  /** False: the group's place is kept by this member, in memory. */
  readonly commit: boolean;
}

const COMMIT_INTERVAL_MS = 1000;
/** kafkajs's own number, which giving `retry` would replace. */
const RETRIES = 5;
const AGAIN_MS = 500;

/**
 * A member of a consumer group, which joins again after outages for as long as it takes. kafkajs's own restarts are
 * off: they give up where a group's coordinator is away, and one that is under way cannot be called off.
 */
export class GroupMember {
  readonly #options: MemberOptions;
  readonly #consumer: Consumer;
  readonly #work: (payload: EachBatchPayload) => Promise<void>;
  readonly #failed: (error: Error) => void;
  /** Where nothing is committed kafkajs forgets its place with each join: per partition, the next message's. */
  readonly #places = new Map<string, { topic: string; partition: number; offset: string }>();
  #started = false;
  #joined = false;
  #wasJoined = false;
  #leaving = false;
  #again: NodeJS.Timeout | undefined;

  /** `failed` gets what joining again cannot cure. */
  constructor(
    kafka: Kafka,
    options: MemberOptions,
    work: (payload: EachBatchPayload) => Promise<void>,
    failed: (error: Error) => void,
  ) {
    this.#options = options;
    this.#work = work;
    this.#failed = failed;
    this.#consumer = kafka.consumer({
      groupId: options.groupId,
      allowAutoTopicCreation: false,
      retry: { retries: RETRIES, restartOnFailure: async () => false },
    });
    this.#consumer.on('consumer.group_join', ({ payload }) => this.#isIn(payload.memberAssignment));
    this.#consumer.on('consumer.crash', ({ payload }) => this.#isOut(payload.error));
  }

  async start(): Promise<void> {
    await this.#consumer.connect();
    const { topics, fromBeginning } = this.#options;
    await this.#consumer.subscribe({ topics: [...topics], fromBeginning });
    this.#started = true;
    await this.#run();
  }

  /** The messages of this batch up to `offset` need not come again. */
  async markProcessed(payload: EachBatchPayload, offset: string): Promise<void> {
    payload.resolveOffset(offset);
    if (this.#options.commit) return payload.commitOffsetsIfNecessary();
    const { topic, partition } = payload.batch;
    this.#places.set(`${topic}/${partition}`, { topic, partition, offset: String(BigInt(offset) + 1n) });
  }

  /** Leaves the group; during an outage it resolves at once, and whatever kafkajs still tries comes to an end. */
  async stop(): Promise<void> {
    this.#leaving = true;
    clearTimeout(this.#again);
    // A join that is under way cannot be called off: it ends in #isIn or in #isOut.
    if (this.#joined || !this.#started) await this.#disconnect();
  }

  async #run(): Promise<void> {
    const { commit } = this.#options;
    await this.#consumer.run({
      autoCommit: commit,
      // kafkajs would commit at these intervals also without autoCommit.
      ...(commit ? { autoCommitInterval: COMMIT_INTERVAL_MS } : {}),
      eachBatchAutoResolve: false,
      eachBatch: this.#work,
    });
  }

  #isIn(assignment: Readonly<Record<string, number[]>>): void {
    this.#joined = this.#wasJoined = true;
    if (this.#leaving) {
      // kafkajs says that it is in a moment before it can be stopped.
      setImmediate(() => void this.#disconnect());
      return;
    }
    for (const place of this.#places.values())
      if (assignment[place.topic]?.includes(place.partition)) this.#consumer.seek(place);
  }

  #isOut(error: Error): void {
    this.#joined = false;
    if (this.#leaving) return;
    if (passes(error, this.#wasJoined)) this.#again = setTimeout(() => void this.#run(), AGAIN_MS);
    else this.#failed(error);
  }

  async #disconnect(): Promise<void> {
    await this.#consumer.disconnect().catch(() => {});
  }
}

/** Whether it is an outage. A coordinator that has never been there may be one that cannot be. */
function passes(error: Error, wasJoined: boolean): boolean {
  const { name, retriable } = rootCause(error) as Error & { retriable?: boolean };
  if (name === 'KafkaJSGroupCoordinatorNotFound') return wasJoined;
  return error.name === 'KafkaJSNumberOfRetriesExceeded' || retriable === true;
}
