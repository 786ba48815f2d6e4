import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, ConsumerGroupJoinEvent, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { Backoff } from '../backoff.ts';
import { monotonicMs } from '../clock.ts';
import { isOutage, isRebalance, requestTimeoutError } from '../kafka/kafkajs-errors.ts';
import { GroupOffsets } from './group-offsets.ts';
import { type PartitionId, type PartitionLag, Positions, type Verdict } from './positions.ts';
import { type PartitionOffsets, type ResetCause, startingPoint } from './starting-point.ts';

export interface MemberOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly fromBeginning: boolean;
  /** False: this member keeps the offsets in memory and commits none. */
  readonly commit: boolean;
}

export interface MemberEvents {
  batch(payload: EachBatchPayload): Promise<void>;
  /** A partition is read from its oldest record, at `to`, although the group was at `from`. */
  reset(reset: PartitionId & { from: bigint | null; to: bigint; cause: ResetCause }): void;
  /** An error that this member waits out; null: it is over. */
  retrying(error: Error | null): void;
  /** An error that waiting does not cure. */
  failed(error: Error): void;
}

const COMMIT_INTERVAL_MS = 1000;
/** A closing member waits this long for an answer of the brokers. */
const LAST_CALL_MS = 3000;
/** kafkajs's default for consumers; setting `retry` would replace it by the general default. */
const RETRIES = 5;
/** On top of kafkajs's own retries. */
const REJOIN = { firstMs: 500, maxMs: 2000, jitter: 'equal' } as const;
/** New partitions are found within this time and a rebalance; kafkajs's default is 5 minutes. */
const METADATA_MAX_AGE_MS = 15_000;
/** Java's default. kafkajs also waits this long before it looks again for partitions to read. */
const MAX_WAIT_MS = 500;
/** Bounds what kafkajs has in memory for each broker; gzip makes about ten times as much of it. */
const MAX_FETCH_BYTES = 4 * 1024 * 1024;
const MAX_PARTITION_BYTES = 512 * 1024;
/** The first one may have waited without a request, because all partitions were paused. */
const FETCHES_TO_TRUST = 2;
/** How long members wait for the leader to commit where a new group begins, and the interval of looking. */
const LEADER_WAIT_MS = 10_000;
const LEADER_POLL_MS = 250;

/**
 * A member of a consumer group that decides by itself where each partition is read, and rejoins after outages without end.
 *
 * kafkajs would begin at `fromBeginning`'s end wherever a partition has no valid offset, and so skip records in silence: it
 * is subscribed with `fromBeginning: true`, fetches nothing after a join until the offsets are known, and commits nothing by
 * itself. Its own restarts are off: they give up when the group coordinator cannot be reached, and a restart in progress
 * cannot be cancelled.
 */
export class GroupMember {
  readonly #options: MemberOptions;
  readonly #consumer: Consumer;
  readonly #events: MemberEvents;
  readonly #offsets: GroupOffsets;
  readonly #positions = new Positions();
  readonly #backoff = new Backoff(REJOIN);
  #assigned: readonly PartitionId[] = [];
  /** Counts joins: what an earlier one began is abandoned. */
  #generation = 0;
  #partitionsSeen = new Map<string, number>();
  #mustRejoin = false;
  #started = false;
  #joined = false;
  #hasEverJoined = false;
  /** The brokers have let this member read: a later refusal may be cured while it waits. */
  #hasEverRead = false;
  #stopping = false;
  /** Since reading began in this generation. */
  #fetches = Number.NEGATIVE_INFINITY;
  #lastCommit = monotonicMs();
  #rejoinTimer: NodeJS.Timeout | undefined;

  constructor(kafka: Kafka, options: MemberOptions, events: MemberEvents) {
    this.#options = options;
    this.#events = events;
    this.#offsets = new GroupOffsets(kafka, options.groupId, options.topics);
    this.#consumer = kafka.consumer({
      groupId: options.groupId,
      allowAutoTopicCreation: false,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      maxWaitTimeInMs: MAX_WAIT_MS,
      maxBytes: MAX_FETCH_BYTES,
      maxBytesPerPartition: MAX_PARTITION_BYTES,
      retry: { retries: RETRIES, restartOnFailure: async () => false },
    });
    this.#consumer.on('consumer.group_join', (event) => this.#joinedGroup(event));
    this.#consumer.on('consumer.crash', ({ payload }) => this.#leftGroup(payload.error));
    this.#consumer.on('consumer.network.request_timeout', ({ payload }) =>
      this.#events.retrying(requestTimeoutError(payload.apiName)),
    );
    this.#consumer.on('consumer.fetch', () => {
      this.#fetches += 1;
      if (this.#fetches < FETCHES_TO_TRUST) return;
      this.#hasEverRead = true;
      this.#backoff.reset();
      this.#events.retrying(null);
    });
    this.#consumer.on('consumer.end_batch_process', ({ payload }) => {
      const { topic, partition, batchSize, lastOffset, highWatermark } = payload;
      this.#positions.sawEnd(topic, partition, BigInt(highWatermark));
      // Control records and aborted transactions alone: the reader gets no such batch.
      if (batchSize === 0) this.#positions.passed(topic, partition, BigInt(lastOffset) + 1n);
    });
  }

  async start(): Promise<void> {
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
    this.#started = true;
    await this.#run();
  }

  get joined(): boolean {
    return this.#joined;
  }

  get generation(): number {
    return this.#generation;
  }

  /** A rebalance is due that kafkajs does not know of: partitions were added while the loop's body is busy. */
  get mustRejoin(): boolean {
    return this.#mustRejoin;
  }

  lags(): PartitionLag[] {
    return this.#positions.lags(this.#assigned);
  }

  /**
   * Whether the batch is where reading of the partition continues. Else it is fetched again: a batch beyond that place, which
   * kafkajs fetched for an earlier generation, would skip records; after a pause the record before it must be the one that was
   * read.
   */
  continues({ batch }: EachBatchPayload): boolean {
    const { topic, partition } = batch;
    const limit = this.#positions.fetchLimit(topic, partition);
    const { fetchedOffset } = batch as typeof batch & { fetchedOffset: string };
    if (limit === null) return false;
    const isBeyond = BigInt(fetchedOffset) > limit;
    const again = isBeyond ? limit : this.#positions.armProbe(topic, partition);
    if (again === null) return true;
    this.#consumer.seek({ topic, partition, offset: String(again) });
    return false;
  }

  /** What to do with a message. After `reset` the rest of its batch must not be read. */
  examine(topic: string, partition: number, message: KafkaMessage): Verdict {
    const verdict = this.#positions.examine(topic, partition, message);
    if (verdict === 'reset') void this.#moveToOldest({ topic, partition }, 'topic_recreated');
    return verdict;
  }

  /** The message and all messages of this batch before it are processed. */
  async markProcessed(payload: EachBatchPayload, message: KafkaMessage): Promise<void> {
    this.#positions.processed(payload.batch.topic, payload.batch.partition, message);
    payload.resolveOffset(message.offset);
    if (monotonicMs() - this.#lastCommit >= COMMIT_INTERVAL_MS) await this.#commit(payload);
  }

  /** The whole batch is processed. */
  async markBatchProcessed(payload: EachBatchPayload): Promise<void> {
    const { topic, partition } = payload.batch;
    const last = payload.batch.lastOffset();
    this.#positions.passed(topic, partition, BigInt(last) + 1n);
    payload.resolveOffset(last);
    await this.#commit(payload);
  }

  /** Commits what is processed before the member rejoins. If it fails, records come again. */
  async commitBeforeRejoin(payload: EachBatchPayload): Promise<void> {
    await this.#commit(payload).catch(() => {});
  }

  /** The ends of all assigned partitions. Finds added partitions, too. */
  async refreshEnds(): Promise<void> {
    for (const { topic, partitions, ends } of await this.#offsets.ends()) {
      for (const [partition, end] of ends) this.#positions.sawEnd(topic, partition, end);
      if (partitions > (this.#partitionsSeen.get(topic) ?? partitions)) this.#mustRejoin = true;
    }
  }

  /** Leaves the group. During an outage it resolves at once; the pending attempt of kafkajs then ends by itself. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#rejoinTimer);
    const commits = this.#options.commit && this.#joined ? this.#positions.uncommitted(this.#assigned) : [];
    if (commits.length > 0) await atMost(LAST_CALL_MS, this.#consumer.commitOffsets(commits));
    // A join in progress cannot be cancelled: it ends in #joinedGroup or #leftGroup.
    if (this.#joined || !this.#started) await this.#disconnect();
    await atMost(LAST_CALL_MS, this.#offsets.close());
  }

  async #run(): Promise<void> {
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.#events.batch(payload),
    });
  }

  #joinedGroup({ payload }: ConsumerGroupJoinEvent): void {
    this.#joined = this.#hasEverJoined = true;
    this.#generation += 1;
    this.#fetches = Number.NEGATIVE_INFINITY;
    this.#mustRejoin = false;
    if (this.#stopping) {
      // kafkajs emits this event a moment before the consumer can be disconnected.
      setImmediate(() => void this.#disconnect());
      return;
    }
    this.#assigned = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({ topic, partition })),
    );
    this.#pause(this.#assigned);
    void this.#begin(this.#generation, payload.isLeader);
  }

  /** Finds out where each assigned partition is read, and lets kafkajs read. */
  async #begin(generation: number, isLeader: boolean): Promise<void> {
    const isCurrent = () => generation === this.#generation && this.#joined && !this.#stopping;
    const leaderLimit = monotonicMs() + LEADER_WAIT_MS;
    const backoff = new Backoff(REJOIN);
    while (isCurrent()) {
      try {
        const partitions = this.#withPositions(await this.#offsets.read(this.#options.commit));
        if (!isCurrent()) return;
        if (isLeader || monotonicMs() > leaderLimit || !this.#awaitsLeader(partitions)) {
          await this.#beginAt(partitions, isLeader);
          this.#fetches = 0;
          return;
        }
        await sleep(LEADER_POLL_MS);
      } catch (error) {
        if (!isCurrent()) return;
        if (!isRebalance(error)) {
          if (!this.#mayPass(error as Error)) return this.#events.failed(error as Error);
          this.#events.retrying(error as Error);
        }
        await backoff.wait();
      }
    }
  }

  /** Without commits the group's positions are those of this process. */
  #withPositions(partitions: readonly PartitionOffsets[]): readonly PartitionOffsets[] {
    if (this.#options.commit) return partitions;
    return partitions.map((offsets) => ({
      ...offsets,
      ...(this.#positions.of(offsets.topic, offsets.partition) ?? { position: null, proof: null }),
    }));
  }

  /** The leader commits where a new group begins, for all: otherwise members would take the others' partitions for added ones. */
  #awaitsLeader(partitions: readonly PartitionOffsets[]): boolean {
    return this.#options.commit && this.#isNew(partitions);
  }

  /** Brokers delete the offsets of a topic with it: a topic without offsets beside others with some is not new to the group. */
  #isNew(partitions: readonly PartitionOffsets[]): boolean {
    return this.#positions.isEmpty && partitions.every(({ position }) => position === null);
  }

  async #beginAt(partitions: readonly PartitionOffsets[], isLeader: boolean): Promise<void> {
    const { commit, fromBeginning } = this.#options;
    const isNew = this.#isNew(partitions);
    const starts = partitions.flatMap((offsets) => {
      const { topic, partition } = offsets;
      const isAssigned = this.#isAssigned(offsets);
      // Without commits nobody else keeps where the group began in the partitions of others.
      if (!isAssigned && !(isNew && (isLeader || !commit))) return [];
      const known = this.#positions.of(topic, partition)?.position ?? null;
      const start = startingPoint(offsets, { isNew, known, fromBeginning });
      return [{ offsets, isAssigned, start, isMoved: start.offset !== offsets.position }];
    });
    const commits = starts
      .filter(({ isMoved }) => isMoved)
      .map(({ offsets: { topic, partition }, start }) => ({
        ...{ topic, partition, offset: String(start.offset), metadata: '' },
      }));
    if (commit && commits.length > 0) await this.#consumer.commitOffsets(commits);
    for (const { topic } of partitions)
      this.#partitionsSeen.set(topic, partitions.filter((offsets) => offsets.topic === topic).length);
    for (const { offsets, start, isAssigned } of starts) {
      if (!isAssigned && commit) continue;
      const fetchFrom = this.#positions.begin(offsets, start, offsets.high);
      if (!isAssigned) continue;
      const { topic, partition } = offsets;
      this.#consumer.seek({ topic, partition, offset: String(fetchFrom) });
      if (start.reset)
        this.#events.reset({
          topic,
          partition,
          from: formerOffset(offsets),
          to: start.offset,
          cause: start.reset,
        });
    }
    this.#resume(this.#assigned);
  }

  /** kafkajs found the offset out of range; it moves to the oldest record by itself. */
  outOfRange(id: PartitionId): void {
    if (this.#isAssigned(id)) void this.#moveToOldest(id, null);
  }

  /** `cause` null: it follows from the bounds of the partition. */
  async #moveToOldest(id: PartitionId, cause: ResetCause | null): Promise<void> {
    const generation = this.#generation;
    this.#pause([id]);
    const backoff = new Backoff(REJOIN);
    while (generation === this.#generation && !this.#stopping) {
      try {
        const offsets = (await this.#offsets.read(this.#options.commit)).find(
          ({ topic, partition }) => topic === id.topic && partition === id.partition,
        );
        if (generation !== this.#generation || !offsets) return;
        const from = this.#positions.of(id.topic, id.partition)?.position ?? null;
        const bounds = { ...offsets, position: from, proof: null };
        const found = startingPoint(bounds, { isNew: false, known: from, fromBeginning: true });
        const start = cause ? { offset: offsets.low, probe: null, reset: cause } : found;
        if (this.#options.commit)
          await this.#consumer.commitOffsets([{ ...id, offset: String(start.offset), metadata: '' }]);
        if (generation !== this.#generation) return;
        this.#consumer.seek({ ...id, offset: String(this.#positions.begin(id, start, offsets.high)) });
        this.#resume([id]);
        if (start.reset) this.#events.reset({ ...id, from, to: start.offset, cause: start.reset });
        return;
      } catch (error) {
        if (generation === this.#generation && !isRebalance(error)) this.#events.retrying(error as Error);
        await backoff.wait();
      }
    }
  }

  async #commit({ commitOffsetsIfNecessary }: EachBatchPayload): Promise<void> {
    this.#lastCommit = monotonicMs();
    const commits = this.#options.commit ? this.#positions.uncommitted(this.#assigned) : [];
    if (commits.length === 0) return;
    const topics = Map.groupBy(commits, ({ topic }) => topic);
    await commitOffsetsIfNecessary({
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    });
    this.#positions.committed(commits);
  }

  #leftGroup(error: Error): void {
    this.#joined = false;
    if (this.#stopping) return;
    if (!this.#mayPass(error)) {
      this.#events.failed(error);
      return;
    }
    this.#events.retrying(error);
    this.#rejoinTimer = setTimeout(() => void this.#run(), this.#backoff.next());
  }

  #mayPass(error: Error): boolean {
    return isOutage(error, { hasEverJoined: this.#hasEverJoined, hasEverRead: this.#hasEverRead });
  }

  #isAssigned(id: PartitionId): boolean {
    return this.#assigned.some(({ topic, partition }) => topic === id.topic && partition === id.partition);
  }

  #pause(ids: readonly PartitionId[]): void {
    this.#consumer.pause(ids.map(({ topic, partition }) => ({ topic, partitions: [partition] })));
  }

  #resume(ids: readonly PartitionId[]): void {
    this.#consumer.resume(ids.map(({ topic, partition }) => ({ topic, partitions: [partition] })));
  }

  async #disconnect(): Promise<void> {
    await this.#consumer.disconnect().catch(() => {});
  }
}

/** Null where there was no offset, or kafkajs had replaced it while it reset it. */
function formerOffset({ position }: PartitionOffsets): bigint | null {
  return position === null || position < 0n ? null : position;
}

/** Resolves when the call ends, whatever its outcome, or after this time. */
async function atMost(ms: number, call: Promise<unknown>): Promise<void> {
  const { promise: timeout, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([call.catch(() => {}), timeout]);
  clearTimeout(timer);
}
