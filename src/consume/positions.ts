import type { KafkaMessage } from 'kafkajs';
import { monotonicMs } from '../clock.ts';
import { formatProof, proofOf, provesSame, type RecordProof } from './record-proof.ts';
import type { Probe, StartingPoint } from './starting-point.ts';

export interface PartitionId {
  readonly topic: string;
  readonly partition: number;
}

/** Where this process is in one partition. */
interface Position extends PartitionId {
  /** The next offset that is delivered. */
  next: bigint;
  probe: Probe | null;
  /** The last record that was read; kept until its proof is needed. */
  last: KafkaMessage | RecordProof | null;
  /** When a batch last arrived, in ms of the monotonic clock. */
  seenAt: number;
  /** `next` or its proof is not committed yet. */
  isDirty: boolean;
  /** End of the partition on the brokers, as far as it is known. */
  end: bigint;
}

/** How far a partition is read. */
export interface PartitionLag extends PartitionId {
  /** The next offset that is delivered. */
  readonly next: string;
  /** Offset of the next record to be written. */
  readonly end: string;
  /** Records between them. */
  readonly lag: number;
}

/** An offset with its proof, in the form of kafkajs's `commitOffsets`. */
export interface Commit extends PartitionId {
  readonly offset: string;
  readonly metadata: string;
}

/** What a record is for the reader: `reset` means that the topic is another one than before. */
export type Verdict = 'deliver' | 'skip' | 'reset';

/** A topic cannot be deleted, created and filled again within this time without a failed fetch. */
const PAUSE_MS = 2000;

const keyOf = (topic: string, partition: number) => `${topic}/${partition}`;

/** The positions of this process in all partitions that it has read, assigned to it or not. */
export class Positions {
  readonly #positions = new Map<string, Position>();

  /** Reading of a partition begins; returns the first offset to fetch. */
  begin({ topic, partition }: PartitionId, { offset, probe }: StartingPoint, end: bigint): bigint {
    const last = probe?.proof ?? null;
    const seenAt = monotonicMs();
    const position = { topic, partition, next: offset, probe, last, seenAt, isDirty: false, end };
    this.#positions.set(keyOf(topic, partition), position);
    return probe?.offset ?? offset;
  }

  /** The next offset and the proof of the record before it; null for a partition that was never read. */
  of(topic: string, partition: number): { position: bigint; proof: RecordProof | null } | null {
    const position = this.#positions.get(keyOf(topic, partition));
    return position ? { position: position.next, proof: proofBefore(position) } : null;
  }

  get isEmpty(): boolean {
    return this.#positions.size === 0;
  }

  /** The offset that a fetch must not exceed. */
  fetchLimit(topic: string, partition: number): bigint | null {
    const position = this.#positions.get(keyOf(topic, partition));
    return position ? (position.probe?.offset ?? position.next) : null;
  }

  /**
   * A batch has arrived. After a pause, the offset to fetch again, so that the record there is compared with what was read: meanwhile the topic may
   * have been deleted, created again and grown beyond `next`. Null: there was no pause, or there is nothing to compare with.
   */
  armProbe(topic: string, partition: number): bigint | null {
    const position = this.#positions.get(keyOf(topic, partition));
    if (!position) return null;
    const now = monotonicMs();
    const hasPaused = now - position.seenAt >= PAUSE_MS;
    position.seenAt = now;
    if (position.probe || !hasPaused) return null;
    const proof = proofBefore(position);
    if (!proof) return null;
    position.probe = { offset: proof.offset, proof };
    return proof.offset;
  }

  examine(topic: string, partition: number, message: KafkaMessage): Verdict {
    const position = this.#positions.get(keyOf(topic, partition));
    if (!position) return 'deliver';
    const { probe } = position;
    position.probe = null;
    const offset = BigInt(message.offset);
    if (probe && offset === probe.offset) {
      if (probe.proof && !provesSame(probe.proof, proofOf(message))) return 'reset';
      position.isDirty ||= probe.proof === null;
      position.last = message;
    }
    return offset < position.next ? 'skip' : 'deliver';
  }

  /** A record was delivered, processed and may be committed. */
  processed(topic: string, partition: number, message: KafkaMessage): void {
    const position = this.#positions.get(keyOf(topic, partition));
    if (!position) return;
    position.last = message;
    position.next = BigInt(message.offset) + 1n;
    position.isDirty = true;
  }

  /** Nothing before `next` is left to read: the rest are control records, or records that no longer exist. */
  passed(topic: string, partition: number, next: bigint): void {
    const position = this.#positions.get(keyOf(topic, partition));
    if (!position) return;
    // The message would keep its whole batch in memory.
    proofBefore(position);
    if (position.probe && next > position.probe.offset) position.probe = null;
    if (next <= position.next) return;
    position.next = next;
    position.isDirty = true;
  }

  sawEnd(topic: string, partition: number, end: bigint): void {
    const position = this.#positions.get(keyOf(topic, partition));
    if (position) position.end = end;
  }

  /** What is not committed yet of these partitions. */
  uncommitted(assigned: readonly PartitionId[]): Commit[] {
    return assigned.flatMap(({ topic, partition }) => {
      const position = this.#positions.get(keyOf(topic, partition));
      if (!position?.isDirty) return [];
      const proof = proofBefore(position);
      const metadata = proof ? formatProof(proof) : '';
      return [{ topic, partition, offset: String(position.next), metadata }];
    });
  }

  committed(commits: readonly Commit[]): void {
    for (const { topic, partition, offset } of commits) {
      const position = this.#positions.get(keyOf(topic, partition));
      if (position && String(position.next) === offset) position.isDirty = false;
    }
  }

  lags(assigned: readonly PartitionId[]): PartitionLag[] {
    return assigned.flatMap(({ topic, partition }) => {
      const position = this.#positions.get(keyOf(topic, partition));
      if (!position) return [];
      const { next, end } = position;
      const lag = Math.max(0, Number(end - next));
      return [{ topic, partition, next: String(next), end: String(next + BigInt(lag)), lag }];
    });
  }
}

/** A proof is made when it is needed: for each commit, not for each record. */
function proofBefore(position: Position): RecordProof | null {
  const { last } = position;
  if (last && !('checksum' in last)) position.last = proofOf(last);
  return position.last as RecordProof | null;
}
