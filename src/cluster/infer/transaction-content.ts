import type { AuActivation, AuFrame } from '../../domain/event.ts';
import { faceKey } from '../../domain/track-key.ts';
import type { OutgoingRecord } from '../../kafka/transaction.ts';
import type { RecordEncoder } from '../../records/avro.ts';
import type { inferTopics } from '../topics.ts';
import { encodeState, type StateRecord } from './state-record.ts';

/** What one transaction carries. */
export interface TransactionContent {
  readonly frames: readonly AuFrame[];
  readonly activations: readonly AuActivation[];
  /** By key; null deletes the key's record. */
  readonly states: ReadonlyMap<string, StateRecord | null>;
  /** The offset to commit: every crop record before it is processed. Null: none was ever processed. */
  readonly offset: number | null;
}

export type InferEncoders = Readonly<Record<'AuFrame' | 'AuActivation' | 'DeadLetter', RecordEncoder>>;
export type InferTopics = ReturnType<typeof inferTopics>;

/** An event as its topic's record. */
export interface EventRecord extends OutgoingRecord {
  readonly event: AuFrame | AuActivation;
}

interface Unencodable {
  readonly topic: string;
  readonly event: AuFrame | AuActivation;
  readonly error: Error;
}

/** The events as Kafka records. One that cannot be encoded concerns no other. */
export function encodeEvents(
  { frames, activations }: TransactionContent,
  topics: InferTopics,
  encoders: InferEncoders,
): { readonly records: EventRecord[]; readonly unencodable: Unencodable[] } {
  const records: EventRecord[] = [];
  const unencodable: Unencodable[] = [];
  const add = (topic: string, encoder: RecordEncoder, event: AuFrame | AuActivation) => {
    try {
      records.push({ topic, key: faceKey(event), value: encoder.encode(event), event });
    } catch (error) {
      unencodable.push({ topic, event, error: error as Error });
    }
  };
  for (const frame of frames) add(topics.frames, encoders.AuFrame, frame);
  for (const activation of activations) add(topics.activations, encoders.AuActivation, activation);
  return { records, unencodable };
}

/** The state goes to the partition of the same number as the crops. */
export function stateRecords(
  { states }: TransactionContent,
  partition: number,
  topics: InferTopics,
): OutgoingRecord[] {
  return [...states].map(([key, state]) => ({
    topic: topics.state,
    partition,
    key,
    value: state && encodeState(state),
  }));
}
