import type { AuActivation, AuFrame } from '../../domain/event.ts';
import type { ConsumedOffset, OutgoingRecord } from '../../kafka/transaction.ts';
import { log } from '../../log.ts';
import { deadLetter } from '../../records/dead-letter.ts';
import { OWNER_NOTE_KEY } from './owner-note.ts';
import type { PendingNote } from './poison-guard.ts';
import {
  type EventRecord,
  encodeEvents,
  type InferEncoders,
  type InferTopics,
  stateRecords,
  type TransactionContent,
} from './transaction-content.ts';

/** A dead letter of a consumed record; it is published with the offset of that record. */
export interface PendingDeadLetter {
  readonly offset: number;
  readonly record: OutgoingRecord;
  /** Workers died on the record. */
  readonly isSetAside: boolean;
}

/** An event that is not published; its dead letter is. */
export interface Undeliverable {
  readonly cameraId: string;
  readonly cause: 'event_invalid' | 'record_too_large';
}

export interface TransactionOptions {
  readonly content: TransactionContent;
  readonly letters: readonly PendingDeadLetter[];
  readonly note: PendingNote | null;
  readonly partition: number;
  /** The consumer group that dead letters name. */
  readonly group: string;
  readonly topics: InferTopics;
  readonly encoders: InferEncoders;
}

/** One transaction of a partition: what it publishes, also after records were found to be undeliverable. */
export class Transaction {
  readonly note: PendingNote | null;
  /** Records on which workers died. */
  readonly setAside: number;
  readonly offset: ConsumedOffset | null;
  readonly undeliverable: Undeliverable[] = [];
  readonly #options: TransactionOptions;
  #records: OutgoingRecord[];

  constructor(options: TransactionOptions) {
    const { content, letters, note, partition, topics, encoders } = options;
    this.#options = options;
    this.note = note;
    this.setAside = letters.filter(({ isSetAside }) => isSetAside).length;
    this.offset = content.offset === null ? null : { topic: topics.crops, partition, offset: content.offset };
    const { records, unencodable } = encodeEvents(content, topics, encoders);
    this.#records = [
      ...records,
      ...stateRecords(content, partition, topics),
      ...letters.map(({ record }) => record),
      ...(note ? [{ topic: topics.state, partition, key: OWNER_NOTE_KEY, value: note.value }] : []),
    ];
    for (const { topic, event, error } of unencodable) {
      const value = Buffer.from(JSON.stringify(event));
      this.#addLetter({ topic, key: null, value, event }, `cannot be encoded: ${error.message}`);
      this.undeliverable.push({ cameraId: event.cameraId, cause: 'event_invalid' });
    }
  }

  get records(): readonly OutgoingRecord[] {
    return this.#records;
  }

  get frames(): AuFrame[] {
    return this.#events(this.#options.topics.frames) as AuFrame[];
  }

  get activations(): AuActivation[] {
    return this.#events(this.#options.topics.activations) as AuActivation[];
  }

  /** How many records go to the topic. */
  countOf(topic: string | null): number {
    return this.#records.filter((record) => record.topic === topic).length;
  }

  /**
   * Replaces records that are too large for their topic by dead letters with their bytes. A dead letter that is too large
   * loses its bytes, then is left out. False: there is a record among them that the partition cannot do without.
   */
  bury(tooLarge: readonly OutgoingRecord[]): boolean {
    const { topics } = this.#options;
    const records = new Set(tooLarge.filter(({ topic }) => topic !== topics.state));
    if (records.size === 0) return false;
    this.#records = this.#records.filter((record) => !records.has(record));
    for (const record of records) {
      const detail = `${record.value?.length ?? 0} bytes are too large for ${record.topic}`;
      if (record.topic === topics.deadletter) {
        log.error({ topic: record.topic, partition: this.#options.partition }, `a dead letter: ${detail}`);
        if (!('origin' in record)) continue;
        const origin = record.origin as EventRecord;
        if (origin.value) this.#addLetter({ ...origin, value: null }, detail);
        continue;
      }
      this.#addLetter(record as EventRecord, detail);
      const cameraId = (record as EventRecord).event.cameraId;
      this.undeliverable.push({ cameraId, cause: 'record_too_large' });
    }
    return true;
  }

  #addLetter(origin: EventRecord | (Omit<EventRecord, 'value'> & { value: null }), detail: string): void {
    const { group, topics, encoders, partition } = this.#options;
    const key = origin.key === null ? null : Buffer.from(origin.key);
    const { topic, value } = origin;
    const letter = deadLetter({
      ...{ group, topic, partition: -1, offset: -1, key, value, reason: 'unknown', detail },
    });
    log.error({ topic, partition, cameraId: origin.event.cameraId }, `an event of ${topic}: ${detail}`);
    const record = { topic: topics.deadletter, key, value: encoders.DeadLetter.encode(letter), origin };
    this.#records.push(record);
  }

  #events(topic: string): (AuFrame | AuActivation)[] {
    return this.#records.flatMap((record) =>
      record.topic === topic && 'event' in record ? [(record as EventRecord).event] : [],
    );
  }
}
