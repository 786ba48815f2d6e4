import { setTimeout as sleep } from 'node:timers/promises';
import { Mutex, type Semaphore } from 'async-mutex';
import { Backoff } from '../../backoff.ts';
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
import { PartitionInference, type SkipCause } from './partition-inference.ts';
import { type Effect, type Event, isOwned, START, type State, transition } from './partition-lifecycle.ts';
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
}

export interface PartitionOwnerEvents {
  /** A transaction with these events is committed. */
  committed(frames: readonly AuFrame[], activations: readonly AuActivation[]): void;
  skipped(cause: SkipCause, crops: number, cameraId: string): void;
  /** Crop records were deleted by retention before they were scored. */
  expired(records: number): void;
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
  /** Null while no records are accepted. */
  #sequencer: OffsetSequencer | null = null;
  /** Records are decoded one after another, in their order. */
  readonly #decoding = new Mutex();
  /** Crops of records that are not decoded yet; each record counts as one hop. */
  #undecodedCrops = 0;
  #deadLetters: OutgoingRecord[] = [];
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
    const isCurrent = () => this.#inference === inference;
    this.#caughtUp = false;
    this.#undecodedCrops += this.#options.infer.hop;
    void this.#decoding.runExclusive(async () => {
      const record = await this.#recordDecoder.decode(message, isCurrent, this.#events.failed);
      this.#undecodedCrops -= this.#options.infer.hop;
      if (!record || !isCurrent()) return;
      if (record.deadLetter) this.#deadLetters.push(record.deadLetter);
      inference.process(message.offset, record.batch, Date.now());
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
    const { infer, model, reader, states } = this.#options;
    const committed = await reader.committed(this.#partition);
    const table = await states.read(this.#partition);
    const inference = new PartitionInference(model, {
      infer,
      states: decodeStateTable(table),
      committed,
      skipped: this.#events.skipped,
      commitPending: () => {
        this.#commitPending = true;
        this.#notifyCommitPending();
      },
    });
    inference.failed.catch((error) => this.#inference === inference && this.#events.failed(error));
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
    if (this.#caughtUp && this.#undecodedCrops === 0)
      this.#inference?.closeIdleTracks(Date.now() - cluster.idleSeconds * 1000);
    const wait = this.#committedAt + cluster.commitMs - performance.now();
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => {});
    return signal.aborted ? null : ({ event: 'commitDue' } as const);
  }

  async #commit() {
    const { topics, encoders } = this.#options;
    this.#commitPending = false;
    const content = this.#inference!.collect();
    if (!content) return { event: 'nothingToCommit' } as const;
    const events = toOutgoingRecords(content, this.#partition, topics, encoders);
    this.#transaction = { content, records: [...events, ...this.#deadLetters.splice(0)] };
    this.#eventsInTransaction = content.frames.length + content.activations.length;
    this.#committedAt = performance.now();
    return this.#publish();
  }

  async #publish() {
    const { topics, reader, transactionSlots } = this.#options;
    const { records, content } = this.#transaction!;
    const offset = { topic: topics.crops, partition: this.#partition, offset: content.offset };
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
    const { frames, activations } = this.#transaction!.content;
    this.#backoff.reset();
    this.#eventsInTransaction = 0;
    this.#events.committed(frames, activations);
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
