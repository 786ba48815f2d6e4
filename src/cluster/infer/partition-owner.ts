import { setTimeout as sleep } from 'node:timers/promises';
import { Mutex } from 'async-mutex';
import { Backoff } from '../../backoff.ts';
import { monotonicMs } from '../../clock.ts';
import type { AuActivation, AuFrame } from '../../domain/event.ts';
import type { Hold } from '../../domain/topic-delivery.ts';
import type { AuModel } from '../../infer/engine/index.ts';
import type { InferOptions } from '../../infer/options.ts';
import { callFailure } from '../../kafka/call-failure.ts';
import type { DeliveryFailure } from '../../kafka/delivery-policy.ts';
import type { ConsumedMessage, GroupReader } from '../../kafka/group-reader.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import type { TableReader } from '../../kafka/table-reader.ts';
import {
  BATCH_LIMITS,
  type BatchLimit,
  type BrokerTurn,
  type CallContext,
  type OutgoingRecord,
  TransactionalProducer,
  type TransactionFailure,
} from '../../kafka/transaction.ts';
import { log, RepeatedWarning } from '../../log.ts';
import type { RecordDecoder } from '../../records/decode.ts';
import type { ClusterOptions } from '../options.ts';
import type { PixelDecoder } from '../pixel-codec.ts';
import { CropRecordDecoder } from './crop-record-decoder.ts';
import { OffsetSequencer } from './offset-sequencer.ts';
import { decodeOwnerNote, OWNER_NOTE_KEY, type OwnerNote, takeOver } from './owner-note.ts';
import { PartitionInference, type SkipCause, UNKNOWN_CAMERA } from './partition-inference.ts';
import { type Effect, type Event, isOwned, START, type State, transition } from './partition-lifecycle.ts';
import { PoisonGuard } from './poison-guard.ts';
import { StartOffset } from './start-offset.ts';
import { decodeStateTable } from './state-record.ts';
import { type PendingDeadLetter, Transaction } from './transaction.ts';
import type { InferEncoders, InferTopics } from './transaction-content.ts';

export interface PartitionOwnerOptions {
  readonly kafka: KafkaOptions;
  readonly cluster: ClusterOptions;
  readonly infer: InferOptions;
  readonly model: AuModel;
  readonly reader: GroupReader;
  readonly states: TableReader;
  readonly decoder: RecordDecoder;
  readonly pixels: PixelDecoder;
  readonly encoders: InferEncoders;
  readonly topics: InferTopics;
  /** Bounds concurrent calls to the brokers: each blocks a libuv thread. */
  readonly turn: BrokerTurn;
  /** Identifies this process among the owners of a partition. */
  readonly workerId: string;
  /** Held while one record is processed alone: a death during it is blamed on that record. */
  readonly alone: Mutex;
}

export interface PartitionOwnerEvents {
  /** A transaction with these events is committed. */
  committed(frames: readonly AuFrame[], activations: readonly AuActivation[]): void;
  skipped(cause: SkipCause, crops: number, cameraId: string): void;
  /** Crop records were deleted by retention before they were scored. */
  expired(records: number): void;
  /** A record of the state topic is corrupt: its track or camera begins anew. */
  stateUnreadable(): void;
  /** The crops topic was deleted or has lost records: reading goes on at its beginning. */
  rewound(): void;
  /** Dead letters of records on which workers died are committed. */
  setAside(records: number): void;
  /** The dead letter of an event that its topic can never take is committed. */
  undeliverable(cameraId: string, cause: string): void;
  /** Publishing is held, or goes on (null). `topic`: the one that refuses. */
  held(topic: string, hold: DeliveryFailure | null): void;
  /** The model failed, or an observer: the process must end. */
  failed(error: unknown): void;
}

const RETRY = { firstMs: 100, maxMs: 5_000, jitter: 'equal' } as const;
/** Longest wait before offsets without events are committed. */
const OFFSET_ONLY_COMMIT_MS = 1_000;
/** Longest wait for the step or transaction that is under way when the partition is revoked. */
const REVOKE_TIMEOUT_MS = 3_000;

/** How long other partitions wait for the note of a record that is processed alone. */
const ALONE_NOTE_MS = 3_000;

/**
 * Owns one partition of the crops topic from its assignment to its revocation: takes it over from the earlier owner,
 * scores its crops and publishes the events with the offsets. `partition-lifecycle.ts` defines the states and
 * transitions; this class runs the effects.
 */
export class PartitionOwner {
  readonly #partition: number;
  readonly #options: PartitionOwnerOptions;
  readonly #events: PartitionOwnerEvents;
  readonly #recordDecoder: CropRecordDecoder;
  readonly #backoff = new Backoff(RETRY);
  readonly #warning: RepeatedWarning;
  /** Aborts at the revocation: calls to the brokers are no longer retried, waits end. */
  readonly #closing = new AbortController();
  readonly #released = Promise.withResolvers<void>();
  readonly #effects: Readonly<Record<Effect, (error?: Error) => void>> = {
    openProducer: () => this.#start(() => this.#openProducer()),
    restore: () => this.#start(() => this.#restore()),
    seek: () => this.#start(() => this.#seek()),
    acceptRecords: () => this.#acceptRecords(),
    awaitCommit: () => this.#start(() => this.#awaitCommit()),
    commit: () => this.#start(() => this.#commit()),
    commitAgain: () => this.#start(() => this.#publish()),
    backOff: () => this.#start(() => this.#backOff()),
    abandon: () => this.#abandon(),
    closeProducer: () => this.#start(() => this.#closeProducer()),
    reportCommitted: () => this.#reportCommitted(),
    warnAborted: (error) => this.#warn('retries a transaction', error!),
    warnFailed: (error) => this.#onStepFailed(error!),
    startDeadline: () => this.#startDeadline(),
    release: () => this.#release(),
  };
  #state: State = START.next;
  #producer: TransactionalProducer | null = null;
  #inference: PartitionInference | null = null;
  #guard: PoisonGuard | null = null;
  #modelFailed = false;
  /** Null while no records are accepted. */
  #sequencer: OffsetSequencer | null = null;
  /** Records are decoded one after another, in their order. */
  readonly #decoding = new Mutex();
  /** Crops of records that are not decoded yet; each record counts as one hop. */
  #undecodedCrops = 0;
  /** They are published with the offset of their record, so that each is published once. */
  #deadLetters: PendingDeadLetter[] = [];
  /** The transaction that is under way, or was last. */
  #transaction: Transaction | null = null;
  #inTransaction = false;
  /** How many records a batch of this partition may hold. */
  #batchLimit: BatchLimit = 'full';
  #hold: (DeliveryFailure & { readonly topic: string; readonly since: number }) | null = null;
  /** Since when something waits for a commit, on the monotonic clock (ms). */
  #pendingSince: number | null = null;
  /** The state topic lost its records: they are written again. */
  #stateLost = false;
  /** The crops topic was found to begin anew. */
  #rewound = false;
  /** When the last transaction with content began, on the monotonic clock (ms). */
  #committedAt = Number.NEGATIVE_INFINITY;
  #commitPending = false;
  #notifyCommitPending: () => void = () => {};
  /** The consumer has reached the end of the partition. */
  #caughtUp = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(partition: number, options: PartitionOwnerOptions, events: PartitionOwnerEvents) {
    this.#partition = partition;
    this.#options = options;
    this.#events = events;
    this.#warning = new RepeatedWarning({ partition });
    this.#recordDecoder = new CropRecordDecoder({
      decoder: options.decoder,
      pixels: options.pixels,
      deadLetters: options.encoders.DeadLetter,
      deadLetterTopic: options.topics.deadletter,
      group: options.reader.group,
    });
    for (const effect of START.effects) this.#effects[effect]();
  }

  /** Whether the take-over is complete. */
  get ready(): boolean {
    return isOwned(this.#state);
  }

  /** Crops that wait for the model. */
  get waiting(): number {
    return (this.#inference?.waiting ?? 0) + this.#undecodedCrops;
  }

  /** Events that are not committed yet. */
  get unpublished(): { readonly frames: number; readonly activations: number } {
    const { frames, activations } = this.#inference?.unpublished ?? { frames: 0, activations: 0 };
    const transaction = this.#inTransaction ? this.#transaction : null;
    return {
      frames: frames + (transaction?.frames.length ?? 0),
      activations: activations + (transaction?.activations.length ?? 0),
    };
  }

  /** Why nothing is published at present; null while it is. `topic`: the one that refuses, or the crops topic. */
  get hold(): (Hold & { readonly topic: string }) | null {
    if (!this.#hold) return null;
    const { topic, cause, detail, since } = this.#hold;
    return { topic, cause, detail, sinceSeconds: (monotonicMs() - since) / 1_000 };
  }

  /** How long the oldest result waits for its commit; null: nothing waits. */
  get oldestSeconds(): number | null {
    const since = Math.min(this.#pendingSince ?? Infinity, this.#hold?.since ?? Infinity);
    return since === Infinity ? null : (monotonicMs() - since) / 1_000;
  }

  /** Processes the next record of the partition; records out of sequence are ignored. */
  accept(message: ConsumedMessage): void {
    const inference = this.#inference;
    if (!inference || !this.#sequencer?.accepts(message.offset)) return;
    const { hop } = this.#options.infer;
    this.#caughtUp = false;
    this.#undecodedCrops += hop;
    this.#decoding
      .runExclusive(() => this.#process(message, inference, this.#guard!))
      .catch((error) => this.#events.failed(error))
      .finally(() => {
        this.#undecodedCrops -= hop;
      });
  }

  /** The consumer has reached the end of the partition. */
  caughtUp(): void {
    this.#caughtUp = true;
  }

  /** Commits what is scored, then releases the partition. Resolves when another worker may own it. */
  close(): Promise<void> {
    this.#dispatch('revoked');
    return this.#released.promise;
  }

  async #process(message: ConsumedMessage, inference: PartitionInference, guard: PoisonGuard): Promise<void> {
    const { offset } = message;
    const { alone } = this.#options;
    // A worker may die on any record: before the first one it is durable that this worker has begun.
    if (!(await guard.opened) || this.#inference !== inference) return;
    if (guard.isSetAside(offset)) this.#setAside(message, inference, guard);
    else if (guard.isSuspect(offset)) {
      guard.accept(offset);
      while (!(await alone.runExclusive(() => this.#processAlone(message, inference, guard)))) {
        // Its transactions are held: the other partitions go on meanwhile.
        if (!(await guard.durable()) || this.#inference !== inference) return;
      }
    } else {
      if (alone.isLocked()) await alone.waitForUnlock();
      guard.accept(offset);
      await this.#decodeAndScore(message, inference);
    }
  }

  /**
   * A worker that dies during this leaves a note that names the record. False: the note did not become durable in time, so
   * the record is not processed yet.
   */
  async #processAlone(
    message: ConsumedMessage,
    inference: PartitionInference,
    guard: PoisonGuard,
  ): Promise<boolean> {
    const noted = await withinTime(guard.begin(message.offset));
    if (noted === null) guard.cancel();
    if (noted === null || !noted || this.#inference !== inference) return noted !== null;
    await this.#decodeAndScore(message, inference);
    // A model that fails ends the process; the note stays.
    await Promise.race([inference.settled(), guard.abandoned]).catch(() => guard.abandoned);
    await withinTime(guard.end());
    return true;
  }

  async #decodeAndScore(message: ConsumedMessage, inference: PartitionInference): Promise<void> {
    const { offset } = message;
    const isCurrent = () => this.#inference === inference;
    const decoded = await this.#recordDecoder.decode(message, isCurrent, this.#events.failed);
    if (!decoded || !isCurrent()) return;
    if (decoded.deadLetter) this.#addDeadLetter(offset, decoded.deadLetter);
    try {
      inference.process(offset, decoded.batch, monotonicMs());
    } catch (error) {
      // A bug of this version, which a retry would meet again.
      const detail = `cannot be processed: ${(error as Error).message}`;
      log.error({ partition: this.#partition, offset, error }, `record ${offset} ${detail}`);
      this.#events.skipped('undecodable', 1, decoded.batch?.cameraId ?? UNKNOWN_CAMERA);
      this.#addDeadLetter(offset, this.#recordDecoder.deadLetter(message, 'corrupt', detail));
    }
  }

  /** Skips a record on which workers died. */
  #setAside(message: ConsumedMessage, inference: PartitionInference, guard: PoisonGuard): void {
    const { offset } = message;
    guard.accept(offset);
    inference.skip(offset);
    if (offset < guard.committed && offset !== guard.newlySetAside) return;
    const detail = 'two workers died while they processed this record alone';
    const { topic } = message;
    log.error({ topic, partition: this.#partition, offset }, `record ${offset} is set aside: ${detail}`);
    this.#addDeadLetter(offset, this.#recordDecoder.deadLetter(message, 'worker_died', detail), true);
  }

  #addDeadLetter(offset: number, record: OutgoingRecord, isSetAside = false): void {
    this.#deadLetters.push({ offset, record, isSetAside });
  }

  #dispatch(event: Event, error?: Error): void {
    const { next, effects } = transition(this.#state, event);
    this.#state = next;
    for (const effect of effects) {
      try {
        this.#effects[effect](error);
      } catch (failure) {
        // A bug, or an observer's failure. The worker ends, and the partition is still committed and released.
        this.#events.failed(failure);
      }
    }
  }

  /** Runs a step and dispatches the event it ends in; null: a revocation has overtaken it. */
  #start(step: () => Promise<{ event: Event; error?: Error } | null>): void {
    step()
      .then(
        (result) => result && this.#dispatch(result.event, result.error),
        (error: Error) => this.#dispatch('failed', error),
      )
      // An effect that throws is a bug, or an observer's failure: the worker ends in order.
      .catch(this.#events.failed);
  }

  get #calls(): CallContext {
    return {
      closing: this.#closing.signal,
      turn: this.#options.turn,
      repeated: (failure) => this.#onRepeated(failure),
    };
  }

  async #openProducer() {
    const { kafka, cluster } = this.#options;
    const transactionalId = `${cluster.group}-infer-${this.#partition}`;
    const batchLimit = this.#batchLimit;
    this.#producer = await TransactionalProducer.open(kafka, { transactionalId, batchLimit, ...this.#calls });
    return { event: 'opened' } as const;
  }

  /** The earlier owner is already fenced, so neither the committed offset nor the state records change any more. */
  async #restore() {
    const { infer, model, states, workerId, cluster } = this.#options;
    const table = await states.read(this.#partition);
    const note = decodeOwnerNote(table.get(OWNER_NOTE_KEY));
    table.delete(OWNER_NOTE_KEY);
    const begin = await this.#findStart(table.size > 0);
    const { committed } = begin;
    const commitPending = () => {
      this.#commitPending = true;
      this.#pendingSince ??= monotonicMs();
      this.#notifyCommitPending();
    };
    const inference = new PartitionInference(model, {
      infer,
      states: decodeStateTable(table, (key, why) => this.#reportUnreadableState(key, why)),
      committed,
      inGroup: begin.inGroup,
      oldest: begin.oldest,
      rewound: begin.rewound,
      idleSeconds: cluster.idleSeconds,
      epochRevived: (cameraId, epoch) => this.#reportRevived(cameraId, epoch),
      skipped: this.#events.skipped,
      commitPending,
    });
    inference.failed.catch((error) => {
      if (this.#inference !== inference) return;
      this.#modelFailed = true;
      this.#events.failed(error);
    });
    const next = takeOver(note, workerId, committed ?? 0, inference.start ?? 0);
    this.#guard = new PoisonGuard(next, committed ?? 0, commitPending);
    if (next.died) this.#reportDeath(next.note);
    this.#deadLetters = [];
    this.#caughtUp = false;
    this.#committedAt = Number.NEGATIVE_INFINITY;
    this.#inference = inference;
    log.info(
      { partition: this.#partition, from: inference.start, committed, states: table.size },
      `partition ${this.#partition} resumes at ${inference.start ?? 'its beginning'}`,
    );
    return { event: 'restored' } as const;
  }

  /** The committed offset, and what the topic still has of it. */
  async #findStart(hasStates: boolean): Promise<StartOffset> {
    const { reader, turn } = this.#options;
    const inGroup = await turn((limitMs) => reader.committed(this.#partition, limitMs));
    const range = await turn((limitMs) => reader.range(this.#partition, limitMs));
    const begin = new StartOffset(inGroup, range, { hasStates, wasRewound: this.#rewound });
    const fields = { partition: this.#partition, committed: inGroup, ...range };
    const { crops } = this.#options.topics;
    if (begin.rewound) {
      log.error(
        fields,
        `${crops}/${this.#partition} has lost records or was deleted: reading goes on at its beginning`,
      );
      this.#events.rewound();
    } else if (begin.expired > 0) {
      log.warn(
        fields,
        `${crops}/${this.#partition}: ${begin.expired} records were deleted by retention before they were scored`,
      );
      this.#events.expired(begin.expired);
    }
    this.#rewound = false;
    return begin;
  }

  async #seek() {
    await this.#options.reader.seek(this.#partition, this.#inference!.start);
    return { event: 'sought' } as const;
  }

  /** Runs before the reader polls again: the first message after the seek belongs to this inference. */
  #acceptRecords(): void {
    const { reader } = this.#options;
    const { start } = this.#inference!;
    this.#sequencer = new OffsetSequencer(this.#partition, reader, start, {
      expired: this.#events.expired,
      rewound: () => {
        this.#rewound = true;
        this.#notifyCommitPending();
      },
    });
  }

  async #awaitCommit() {
    const { cluster } = this.#options;
    const { signal } = this.#closing;
    if (!this.#commitPending && !this.#rewound) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#notifyCommitPending = resolve;
      const timer = setTimeout(resolve, OFFSET_ONLY_COMMIT_MS);
      await promise;
      clearTimeout(timer);
    }
    if (this.#rewound) throw new Error('the crops topic begins anew');
    this.#inference?.closeIdleTracks(monotonicMs(), this.#caughtUp && this.#undecodedCrops === 0);
    if (this.#guard?.urgent && !signal.aborted) return { event: 'commitDue' } as const;
    const wait = this.#committedAt + cluster.commitMs - monotonicMs();
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => {});
    return signal.aborted ? null : ({ event: 'commitDue' } as const);
  }

  async #commit() {
    const { topics, encoders } = this.#options;
    this.#commitPending = false;
    const inference = this.#inference!;
    const guard = this.#guard!;
    if (this.#closing.signal.aborted) guard.release(this.#modelFailed);
    const note = guard.take();
    if (!note && !inference.hasContent) return { event: 'nothingToCommit' } as const;
    const content = inference.collect();
    const isDue = ({ offset }: PendingDeadLetter) => content.offset !== null && offset < content.offset;
    const letters = this.#deadLetters.filter(isDue);
    this.#deadLetters = this.#deadLetters.filter((letter) => !isDue(letter));
    this.#transaction = new Transaction({
      ...{ content, letters, note, partition: this.#partition, group: this.#options.reader.group },
      ...{ topics, encoders },
    });
    this.#pendingSince = null;
    this.#inTransaction = true;
    this.#committedAt = monotonicMs();
    return this.#publish();
  }

  async #publish() {
    const { reader } = this.#options;
    const transaction = this.#transaction!;
    if (this.#producer!.batchLimit !== this.#batchLimit) {
      await this.#producer!.close();
      await this.#openProducer();
    }
    const producer = this.#producer!;
    const failure = await producer.publish(
      transaction.records,
      transaction.offset,
      reader.consumer,
      this.#calls,
    );
    if (!failure) return { event: 'committed' } as const;
    if (failure.verdict === 'split') this.#split(failure, producer.batchLimit);
    else this.#holdBack(failure, failure.topic);
    const { topic, detail } = failure;
    return { event: 'aborted', error: new Error(topic === null ? detail : `${topic}: ${detail}`) } as const;
  }

  /** Smaller batches next time. A record that is too large alone goes to the dead letters. */
  #split(failure: TransactionFailure, limit: BatchLimit): void {
    const transaction = this.#transaction!;
    const { topic, tooLarge } = failure;
    const alone = limit === 'single' || (tooLarge.length === 1 && transaction.countOf(topic) === 1);
    if (!alone) this.#batchLimit = BATCH_LIMITS[BATCH_LIMITS.indexOf(limit) + 1]!;
    // Without its state the partition could not be taken over: it waits until the topic takes larger records.
    else if (!transaction.bury(tooLarge)) {
      this.#holdBack(failure, topic);
      return;
    }
    // The brokers name one record at a time: the next attempt follows at once.
    this.#backoff.reset();
  }

  #onRepeated(failure: DeliveryFailure): void {
    this.#holdBack(failure, null);
    this.#warn('waits for the brokers', new Error(failure.detail));
  }

  #onStepFailed(error: Error): void {
    this.#holdBack(callFailure(error), null);
    this.#warn('is taken over again', error);
  }

  #holdBack(failure: DeliveryFailure, topic: string | null): void {
    const { crops, state } = this.#options.topics;
    const refusing = topic ?? crops;
    if (topic === state && failure.cause.includes('unknown')) this.#stateLost = true;
    const isNew = this.#hold?.cause !== failure.cause || this.#hold.topic !== refusing;
    const since = this.#hold?.since ?? monotonicMs();
    this.#hold = { ...failure, topic: refusing, since };
    if (isNew) this.#events.held(refusing, failure);
  }

  async #backOff() {
    await this.#backoff.wait(this.#closing.signal);
    return this.#closing.signal.aborted ? null : ({ event: 'retryDue' } as const);
  }

  #abandon(): void {
    this.#inference?.abandon();
    this.#inference = null;
    this.#guard?.abandon();
    this.#sequencer = null;
    this.#inTransaction = false;
    this.#pendingSince = null;
  }

  async #closeProducer() {
    const producer = this.#producer;
    this.#producer = null;
    await producer?.close();
    return { event: 'closed' } as const;
  }

  #reportCommitted(): void {
    const { frames, activations, note, setAside, undeliverable } = this.#transaction!;
    if (note) this.#guard?.confirm(note);
    if (setAside > 0) this.#events.setAside(setAside);
    for (const { cameraId, cause } of undeliverable) this.#events.undeliverable(cameraId, cause);
    this.#backoff.reset();
    this.#inTransaction = false;
    if (this.#hold) {
      const { topic } = this.#hold;
      this.#hold = null;
      this.#events.held(topic, null);
    }
    if (this.#stateLost) this.#inference?.restate();
    this.#stateLost = false;
    this.#events.committed(frames, activations);
  }

  #reportDeath({ diedOn, aloneUntil }: OwnerNote): void {
    const where = diedOn === null ? `before ${aloneUntil}` : `at ${diedOn}`;
    log.warn(
      { partition: this.#partition, diedOn, aloneUntil },
      `partition ${this.#partition}: its earlier owner died; records ${where} are processed one by one`,
    );
  }

  #reportRevived(cameraId: string, epoch: number): void {
    const { idleSeconds } = this.#options.cluster;
    log.warn(
      { partition: this.#partition, cameraId, epoch },
      `camera ${cameraId}: its newest epoch was silent for ${idleSeconds} s; epoch ${epoch} of another worker counts again`,
    );
  }

  #reportUnreadableState(key: string, why: string): void {
    const { state } = this.#options.topics;
    const shown = key.slice(0, 100);
    log.error({ topic: state, partition: this.#partition, key: shown }, `${state}: record ${shown}: ${why}`);
    this.#events.stateUnreadable();
  }

  #startDeadline(): void {
    this.#closing.abort();
    this.#notifyCommitPending();
    this.#deadline = setTimeout(() => this.#dispatch('deadline'), REVOKE_TIMEOUT_MS);
  }

  #release(): void {
    this.#closing.abort();
    clearTimeout(this.#deadline);
    this.#released.resolve();
  }

  #warn(what: string, { message }: Error): void {
    this.#warning.warn(`partition ${this.#partition} ${what}: ${message}`);
  }
}

/** What the promise resolves with; null: it did not in time. */
async function withinTime<T>(promise: Promise<T>): Promise<T | null> {
  const timer = new AbortController();
  const { signal } = timer;
  const late = sleep(ALONE_NOTE_MS, null, { signal }).catch(() => null);
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
