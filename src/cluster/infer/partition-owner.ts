import { setTimeout as sleep } from 'node:timers/promises';
import type rdkafka from 'node-rdkafka';
import { Backoff } from '../../backoff.ts';
import type { AuActivation, AuFrame } from '../../domain/event.ts';
import { faceKey } from '../../domain/track-key.ts';

import { AustreamError } from '../../errors.ts';
import type { AuModel } from '../../infer/engine/index.ts';
import type { InferOptions } from '../../infer/options.ts';
import type { GroupReader } from '../../kafka/group-reader.ts';
import { OffsetSequencer } from '../../kafka/offset-sequencer.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import { isAuthorizationError } from '../../kafka/rdkafka-errors.ts';
import type { TableReader } from '../../kafka/table-reader.ts';
import { type OutgoingRecord, ProducerGone, TransactionalProducer } from '../../kafka/transaction.ts';
import type { Turns } from '../../kafka/turns.ts';
import { log, RepeatedWarning } from '../../log.ts';
import type { RecordEncoder } from '../../records/avro.ts';
import type { RecordDecoder } from '../../records/decode.ts';
import type { ClusterOptions } from '../options.ts';
import type { PixelDecoder } from '../pixel-codec.ts';
import { CropRecordDecoder } from './crop-record-decoder.ts';
import { PartitionInference, type SkipReason, type TransactionContent } from './partition-inference.ts';
import { decodeState, encodeState, type StateRecord } from './state-record.ts';

export interface PartitionOwnerOptions {
  readonly kafka: KafkaOptions;
  readonly cluster: ClusterOptions;
  readonly infer: InferOptions;
  readonly model: AuModel;
  readonly reader: GroupReader;
  readonly states: TableReader;
  readonly decoder: RecordDecoder;
  readonly pixels: PixelDecoder;
  readonly encoders: Readonly<Record<'AuFrame' | 'AuActivation' | 'DeadLetter', RecordEncoder>>;
  readonly topics: Readonly<Record<'frames' | 'activations' | 'deadletter' | 'crops' | 'state', string>>;
  /** Transactions at once: each keeps one of libuv's threads. */
  readonly turns: Turns;
}

export interface PartitionOwnerEvents {
  /** These events are on their topics. */
  committed(frames: readonly AuFrame[], activations: readonly AuActivation[]): void;
  skipped(cause: SkipReason, crops: number, cameraId: string): void;
  /** Records of crops went before they were scored. */
  expired(records: number): void;
  /** The model failed, or the registry or Kafka refuses: nothing can go on. */
  failed(error: unknown): void;
}

const RETRY = { firstMs: 100, maxMs: 5_000, jitter: 'equal' } as const;
/** Offsets that carry no events can wait. */
const QUIET_COMMIT_MS = 1_000;
/** Longest wait for the transaction that is under way when the partition goes. */
const FAREWELL_MS = 3_000;

/** One partition of the crops from the moment this worker has it until it goes. */
export class PartitionOwner {
  readonly #partition: number;
  readonly #options: PartitionOwnerOptions;
  readonly #events: PartitionOwnerEvents;
  readonly #crops: CropRecordDecoder;
  readonly #backoff = new Backoff(RETRY);
  readonly #warning: RepeatedWarning;
  readonly #closing = new AbortController();
  readonly #life: Promise<void>;
  #current: {
    inference: PartitionInference;
    producer: TransactionalProducer;
    order: OffsetSequencer;
  } | null = null;
  /** Records are decoded one after another. */
  #taking: Promise<void> = Promise.resolve();
  #undecoded = 0;
  #letters: OutgoingRecord[] = [];
  /** Events of the transaction that is under way. */
  #committing = 0;
  #caughtUp = false;
  /** Something can be committed. */
  #commitPending = false;
  #wake: () => void = () => {};

  constructor(partition: number, options: PartitionOwnerOptions, events: PartitionOwnerEvents) {
    this.#partition = partition;
    this.#options = options;
    this.#events = events;
    this.#warning = new RepeatedWarning({ partition });
    this.#crops = new CropRecordDecoder({
      decoder: options.decoder,
      pixels: options.pixels,
      letters: options.encoders.DeadLetter,
      deadletter: options.topics.deadletter,
      group: options.reader.group,
    });
    this.#life = this.#live();
  }

  /** Whether it has begun to work. */
  get ready(): boolean {
    return this.#current !== null;
  }

  /** Crops that wait for the model. */
  get waiting(): number {
    return (this.#current?.inference.waiting ?? 0) + this.#undecoded;
  }

  /** Events that are not on their topics yet. */
  get unpublished(): number {
    return (this.#current?.inference.unpublished ?? 0) + this.#committing;
  }

  take(message: rdkafka.Message): void {
    const current = this.#current;
    if (!current?.order.accepts(message.offset)) return;
    this.#caughtUp = false;
    this.#undecoded += this.#options.infer.hop;
    this.#taking = this.#taking.then(async () => {
      const ours = () => this.#current === current;
      const read = await this.#crops.decode(message, ours, this.#events.failed);
      this.#undecoded -= this.#options.infer.hop;
      if (!read || !ours()) return;
      if (read.letter) this.#letters.push(read.letter);
      current.inference.process(message.offset, read.batch, Date.now());
    });
  }

  caughtUp(): void {
    this.#caughtUp = true;
  }

  /** Commits what is there, then lets go. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await Promise.race([this.#life, sleep(FAREWELL_MS)]);
    await this.#drop();
  }

  async #live(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#takeOver();
        await this.#commit();
      } catch (error) {
        if (this.#closing.signal.aborted) break;
        const failure = error as Error;
        if (isAuthorizationError(failure)) this.#events.failed(this.#refusal(failure));
        await this.#drop();
        this.#warning.warn(`partition ${this.#partition} starts again: ${failure.message}`);
        await this.#backoff.wait(this.#closing.signal);
      }
    }
    await this.#drop();
  }

  #refusal(cause: Error): AustreamError {
    const { crops, state, frames, activations, deadletter } = this.#options.topics;
    const { group } = this.#options.reader;
    return new AustreamError('KAFKA_REJECTED', `Kafka refuses group ${group} on ${crops}: ${cause.message}`, {
      fix:
        `let this user read ${crops} and ${state}, write ${frames}, ${activations}, ${deadletter} and ${state}, ` +
        `read the group ${group}, and write transactional ids that begin with ${group}-`,
      cause,
    });
  }

  /** Shuts the earlier owner out, then goes on where it was. */
  async #takeOver(): Promise<void> {
    const { kafka, cluster, infer, model, reader, states, turns } = this.#options;
    const id = `${cluster.group}-infer-${this.#partition}`;
    const producer = await turns.run(() => TransactionalProducer.open(kafka, id, this.#closing.signal));
    try {
      const committed = await reader.committed(this.#partition);
      const table = await states.read(this.#partition);
      const inference = new PartitionInference(model, {
        infer,
        states: decodeTable(table),
        committed,
        skipped: this.#events.skipped,
        commitPending: () => {
          this.#commitPending = true;
          this.#wake();
        },
      });
      inference.failed.catch((error) => this.#current?.inference === inference && this.#events.failed(error));
      this.#letters = [];
      this.#caughtUp = false;
      await reader.seek(this.#partition, inference.start);
      // At once: the next message is for this inference.
      const order = new OffsetSequencer(this.#partition, reader, inference.start, this.#events.expired);
      this.#current = { inference, producer, order };
      log.info(
        { partition: this.#partition, from: inference.start, committed, states: table.size },
        `partition ${this.#partition} is ours`,
      );
    } catch (error) {
      this.#current = null;
      await producer.close();
      throw error;
    }
  }

  async #drop(): Promise<void> {
    const current = this.#current;
    this.#current = null;
    current?.inference.abandon();
    await current?.producer.close();
  }

  /** Publishes what comes together, until the partition goes. Throws ProducerGone. */
  async #commit(): Promise<void> {
    const { cluster } = this.#options;
    const { inference } = this.#current!;
    let committedAt = Number.NEGATIVE_INFINITY;
    for (let last = false; !last; ) {
      last = this.#closing.signal.aborted;
      this.#commitPending = false;
      const output = inference.collect();
      if (output) {
        committedAt = performance.now();
        await this.#publish(output);
      }
      if (last) break;
      if (!this.#commitPending)
        await Promise.race([
          new Promise<void>((resolve) => {
            this.#wake = resolve;
          }),
          sleep(QUIET_COMMIT_MS),
        ]);
      if (this.#caughtUp && this.#undecoded === 0)
        inference.closeIdleTracks(Date.now() - cluster.idleSeconds * 1000);
      const wait = committedAt + cluster.commitMs - performance.now();
      if (wait > 0 && !this.#closing.signal.aborted) await sleep(wait);
    }
  }

  async #publish(output: TransactionContent): Promise<void> {
    const { topics, encoders, reader, turns } = this.#options;
    const records: OutgoingRecord[] = [
      ...output.frames.map((frame) => ({
        topic: topics.frames,
        key: faceKey(frame),
        value: encoders.AuFrame.encode(frame),
      })),
      ...output.activations.map((activation) => ({
        topic: topics.activations,
        key: faceKey(activation),
        value: encoders.AuActivation.encode(activation),
      })),
      ...[...output.states].map(([key, state]) => ({
        topic: topics.state,
        partition: this.#partition,
        key,
        value: state && encodeState(state),
      })),
      ...this.#letters.splice(0),
    ];
    const offset = { topic: topics.crops, partition: this.#partition, offset: output.offset };
    const { producer } = this.#current!;
    const { signal } = this.#closing;
    this.#committing = output.frames.length + output.activations.length;
    try {
      for (;;) {
        const failure = await turns.run(() => producer.publish(records, offset, reader.consumer, signal));
        if (!failure) break;
        // What was not published must not be overtaken by what comes after it: the next owner does both.
        if (signal.aborted || isAuthorizationError(failure)) throw new ProducerGone(failure.message);
        this.#warning.warn(`partition ${this.#partition} retries a transaction: ${failure.message}`);
        await this.#backoff.wait(signal);
      }
      this.#backoff.reset();
    } finally {
      this.#committing = 0;
    }
    this.#events.committed(output.frames, output.activations);
  }
}

/** Records of other versions are passed over. */
function decodeTable(table: ReadonlyMap<string, Buffer>): Map<string, StateRecord> {
  const states = new Map<string, StateRecord>();
  for (const [key, value] of table) {
    const state = decodeState(value);
    if (state) states.set(key, state);
  }
  return states;
}
