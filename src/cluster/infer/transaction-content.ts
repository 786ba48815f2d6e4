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

/** The content as Kafka records. The state goes to the partition of the same number as the crops. */
export function toOutgoingRecords(
  { frames, activations, states }: TransactionContent,
  partition: number,
  topics: InferTopics,
  encoders: InferEncoders,
): OutgoingRecord[] {
  return [
    ...frames.map((frame) => ({
      topic: topics.frames,
      key: faceKey(frame),
      value: encoders.AuFrame.encode(frame),
    })),
    ...activations.map((activation) => ({
      topic: topics.activations,
      key: faceKey(activation),
      value: encoders.AuActivation.encode(activation),
    })),
    ...[...states].map(([key, state]) => ({
      topic: topics.state,
      partition,
      key,
      value: state && encodeState(state),
    })),
  ];
}
