import type { RecordProof } from './record-proof.ts';

/**
 * Why a partition is read from its oldest record although the group was elsewhere:
 *
 * - `partition_added`: the group has read others, but never this partition.
 * - `records_expired`: retention deleted records that the group had not read.
 * - `beyond_end`: the partition is shorter than the group's offset: it was deleted and created again, or lost its data.
 * - `topic_recreated`: at the group's offset there is another record than the group has read.
 * - `offset_lost`: the group's offset is gone from the brokers.
 */
export type ResetCause =
  | 'partition_added'
  | 'records_expired'
  | 'beyond_end'
  | 'topic_recreated'
  | 'offset_lost';

/** A partition as the brokers know it. */
export interface PartitionOffsets {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the oldest record. */
  readonly low: bigint;
  /** Offset of the next record to be written. */
  readonly high: bigint;
  /** The next offset that the group reads; null: it has none. Below -1: kafkajs was resetting it. */
  readonly position: bigint | null;
  /** Of the last record before `position` that the group has read. */
  readonly proof: RecordProof | null;
}

/** Before records are delivered, the record at `offset` is compared with `proof`; without one it is remembered. */
export interface Probe {
  readonly offset: bigint;
  readonly proof: RecordProof | null;
}

export interface StartingPoint {
  /** The next offset that is delivered. */
  readonly offset: bigint;
  readonly probe: Probe | null;
  readonly reset: ResetCause | null;
}

/** What the process and the group know. */
export interface GroupKnowledge {
  /** Nobody of this group has read any of its topics before. */
  readonly isNew: boolean;
  /** Where this process was in the partition, if it has read it. */
  readonly known: bigint | null;
  readonly fromBeginning: boolean;
}

/** Where reading of an assigned partition begins. */
export function startingPoint(
  { low, high, position, proof }: PartitionOffsets,
  { isNew, known, fromBeginning }: GroupKnowledge,
): StartingPoint {
  const oldest = (reset: ResetCause | null): StartingPoint => ({ offset: low, probe: null, reset });
  if (position === null) {
    if (known !== null) return oldest('offset_lost');
    if (!isNew) return oldest('partition_added');
    if (fromBeginning || high === low) return oldest(null);
    return { offset: high, probe: { offset: high - 1n, proof: null }, reset: null };
  }
  if (position < 0n) return oldest('records_expired');
  if (position > high) return oldest('beyond_end');
  if (position < low) return oldest('records_expired');
  const isReadable = proof !== null && proof.offset >= low && proof.offset < position;
  return { offset: position, probe: isReadable ? { offset: proof.offset, proof } : null, reset: null };
}
