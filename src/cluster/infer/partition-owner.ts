import { setTimeout as sleep } from 'node:timers/promises';
import { Mutex, type Semaphore } from 'async-mutex';
import { Backoff } from '../../backoff.ts';
import { monotonicMs } from '../../clock.ts';
import type { AuActivation, AuFrame } from '../../domain/event.ts';
import { AustreamError } from '../../errors.ts';
import type { AuModel } from '../../infer/engine/index.ts';
import type { InferOptions } from '../../infer/options.ts';
import type { ConsumedMessage, GroupReader } from '../../kafka/group-reader.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import { isAuthorizationError } from '../../kafka/rdkafka-errors.ts';
import type { TableReader } from '../../kafka/table-reader.ts';
import { type OutgoingRecord, TransactionalProducer } from '../../kafka/transaction.ts';
import { log, RepeatedWarning } from '../../log.ts';
import { printable } from '../../printable.ts';
import type { RecordDecoder } from '../../records/decode.ts';
import type { ClusterOptions } from '../options.ts';
import type { PixelDecoder } from '../pixel-codec.ts';
import { CropRecordDecoder } from './crop-record-decoder.ts';
import { OffsetSequencer } from './offset-sequencer.ts';
import { decodeOwnerNote, OWNER_NOTE_KEY, type OwnerNote, takeOver } from './owner-note.ts';
import { PartitionInference, type SkipCause, UNKNOWN_CAMERA } from './partition-inference.ts';
import { type Effect, type Event, isOwned, START, type State, transition } from './partition-lifecycle.ts';
import { type PendingNote, PoisonGuard } from './poison-guard.ts';
import { decodeStateTable } from './state-record.ts';
import {
  type InferEncoders,
  type InferTopics,
  type TransactionContent,
  toOutgoingRecords,
} from './transaction-content.ts';

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
  /** Bounds concurrent transactions: each call of one blocks a libuv thread. */
  readonly transactionSlots: Semaphore;
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
  /** Dead letters of records on which workers died are committed. */
  setAside(records: number): void;
  /** The model failed, or the registry or Kafka rejects this worker: the process must end. */
  failed(error: unknown): void;
}

const RETRY = { firstMs: 100, maxMs: 5_000, jitter: 'equal' } as const;
/** Longest wait before offsets without events are committed. */
const OFFSET_ONLY_COMMIT_MS = 1_000;
/** Longest wait for the step or transaction that is under way when the partition is revoked. */
const REVOKE_TIMEOUT_MS = 3_000;

interface Transaction {
  readonly content: TransactionContent;
  readonly records: readonly OutgoingRecord[];
  readonly note: PendingNote | null;
  readonly setAside: number;
}

interface PendingDeadLetter {
  readonly offset: number;
  readonly record: OutgoingRecord;
  readonly isSetAside: boolean;
}

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
    reportDenied: (error) => this.#events.failed(this.#deniedError(error!)),
    warnAborted: (error) => this.#warn('retries a transaction', error!),
    warnFailed: (error) => this.#warn('is taken over again', error!),
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
  /** Events of the transaction that is under way. */
  #eventsInTransaction = 0;
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
  get unpublished(): number {
    return (this.#inference?.unpublished ?? 0) + this.#eventsInTransaction;
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
    else if (guard.isSuspect(offset))
      await alone.runExclusive(() => this.#processAlone(message, inference, guard));
    else {
      if (alone.isLocked()) await alone.waitForUnlock();
      guard.accept(offset);
      await this.#decodeAndScore(message, inference);
    }
  }

  /** A worker that dies during this leaves a note that names the record. */
  async #processAlone(
    message: ConsumedMessage,
    inference: PartitionInference,
    guard: PoisonGuard,
  ): Promise<void> {
    guard.accept(message.offset);
    if (!(await guard.begin(message.offset)) || this.#inference !== inference) return;
    await this.#decodeAndScore(message, inference);
    // A model that fails ends the process; the note stays.
    await Promise.race([inference.settled(), guard.abandoned]).catch(() => guard.abandoned);
    await guard.end();
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
    for (const effect of effects) this.#effects[effect](error);
  }

  /** Runs a step and dispatches the event it ends in; null: a revocation has overtaken it. */
  #start(step: () => Promise<{ event: Event; error?: Error } | null>): void {
    step().then(
      (result) => result && this.#dispatch(result.event, result.error),
      (error: Error) => this.#dispatch(isAuthorizationError(error) ? 'denied' : 'failed', error),
    );
  }

  async #openProducer() {
    const { kafka, cluster, transactionSlots } = this.#options;
    const transactionalId = `${cluster.group}-infer-${this.#partition}`;
    this.#producer = await transactionSlots.runExclusive(() =>
      TransactionalProducer.open(kafka, transactionalId, this.#closing.signal),
    );
    return { event: 'opened' } as const;
  }

  /** The earlier owner is already fenced, so neither the committed offset nor the state records change any more. */
  async #restore() {
    const { infer, model, reader, states, workerId, cluster } = this.#options;
    const committed = await reader.committed(this.#partition);
    const table = await states.read(this.#partition);
    const note = decodeOwnerNote(table.get(OWNER_NOTE_KEY));
    table.delete(OWNER_NOTE_KEY);
    const commitPending = () => {
      this.#commitPending = true;
      this.#notifyCommitPending();
    };
    const inference = new PartitionInference(model, {
      infer,
      states: decodeStateTable(table, (key, why) => this.#reportUnreadableState(key, why)),
      committed,
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

  async #seek() {
    await this.#options.reader.seek(this.#partition, this.#inference!.start);
    return { event: 'sought' } as const;
  }

  /** Runs before the reader polls again: the first message after the seek belongs to this inference. */
  #acceptRecords(): void {
    const { reader } = this.#options;
    const { start } = this.#inference!;
    this.#sequencer = new OffsetSequencer(this.#partition, reader, start, this.#events.expired);
  }

  async #awaitCommit() {
    const { cluster } = this.#options;
    const { signal } = this.#closing;
    if (!this.#commitPending) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#notifyCommitPending = resolve;
      const timer = setTimeout(resolve, OFFSET_ONLY_COMMIT_MS);
      await promise;
      clearTimeout(timer);
    }
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
    const records = toOutgoingRecords(content, this.#partition, topics, encoders);
    for (const { record } of letters) records.push(record);
    if (note)
      records.push({
        topic: topics.state,
        partition: this.#partition,
        key: OWNER_NOTE_KEY,
        value: note.value,
      });
    const setAside = letters.filter(({ isSetAside }) => isSetAside).length;
    this.#transaction = { content, records, note, setAside };
    this.#eventsInTransaction = content.frames.length + content.activations.length;
    this.#committedAt = monotonicMs();
    return this.#publish();
  }

  async #publish() {
    const { topics, reader, transactionSlots } = this.#options;
    const { records, content } = this.#transaction!;
    const offset =
      content.offset === null
        ? null
        : { topic: topics.crops, partition: this.#partition, offset: content.offset };
    const producer = this.#producer!;
    const error = await transactionSlots.runExclusive(() =>
      producer.publish(records, offset, reader.consumer, this.#closing.signal),
    );
    if (!error) return { event: 'committed' } as const;
    if (isAuthorizationError(error)) throw error;
    return { event: 'aborted', error } as const;
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
    this.#eventsInTransaction = 0;
  }

  async #closeProducer() {
    const producer = this.#producer;
    this.#producer = null;
    await producer?.close();
    return { event: 'closed' } as const;
  }

  #reportCommitted(): void {
    const { content, note, setAside } = this.#transaction!;
    const { frames, activations } = content;
    if (note) this.#guard?.confirm(note);
    if (setAside > 0) this.#events.setAside(setAside);
    this.#backoff.reset();
    this.#eventsInTransaction = 0;
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

  #deniedError(cause: Error): AustreamError {
    const { crops, state, frames, activations, deadletter } = this.#options.topics;
    const { group } = this.#options.reader;
    return new AustreamError(
      'KAFKA_REJECTED',
      `Kafka rejects group ${group} on ${crops}: ${printable(cause.message)}`,
      {
        fix:
          `let this user read ${crops} and ${state}, write ${frames}, ${activations}, ${deadletter} and ${state}, ` +
          `read the group ${group}, and write transactional ids that begin with ${group}-`,
        cause,
      },
    );
  }
}
