import { crc32 } from 'node:zlib';
import type { KafkaMessage } from 'kafkajs';

const PREFIX = 'austream/1';
const EMPTY = Buffer.alloc(0);

/**
 * What tells a record from the one that another topic of the same name has at the same offset. It is committed as the metadata
 * of the group's offset: Kafka does not tell a consumer of this protocol that a topic was deleted and created again.
 */
export interface RecordProof {
  readonly offset: bigint;
  /** The record's timestamp in ms, as kafkajs gives it. */
  readonly timestamp: string;
  /** CRC-32 of key and value. */
  readonly checksum: number;
}

export function proofOf(message: KafkaMessage): RecordProof {
  const { offset, timestamp, key, value } = message;
  return { offset: BigInt(offset), timestamp, checksum: crc32(value ?? EMPTY, crc32(key ?? EMPTY)) };
}

export function provesSame(proof: RecordProof, other: RecordProof): boolean {
  return (
    proof.offset === other.offset && proof.timestamp === other.timestamp && proof.checksum === other.checksum
  );
}

export function formatProof({ offset, timestamp, checksum }: RecordProof): string {
  return [PREFIX, offset, timestamp, checksum.toString(16)].join(' ');
}

/** Null for the metadata of other programs. */
export function parseProof(metadata: string | null): RecordProof | null {
  const match = /^austream\/1 (\d{1,19}) (-?\d{1,19}) ([0-9a-f]{1,8})$/.exec(metadata ?? '');
  if (!match) return null;
  const [, offset, timestamp, checksum] = match;
  return { offset: BigInt(offset!), timestamp: timestamp!, checksum: Number.parseInt(checksum!, 16) };
}
