import { randomUUID } from 'node:crypto';
import { consume } from '../consume/index.ts';
import { AustreamError } from '../errors.ts';
import { withAdmin } from '../kafka/admin.ts';
import { kafkajsConnection } from '../kafka/connection.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import type { Recording } from './recording.ts';

/** Ends the wait for offsets that are never delivered (compacted away, or records of another schema). */
const IDLE_TIMEOUT_MS = 10_000;

/**
 * Reads a topic of AuFrame records into `recording`, from the oldest record to the end offsets at the time of the call.
 *
 * Rejects with AustreamError ARGUMENT_INVALID for an unknown topic, and KAFKA_… for unreachable brokers.
 */
export async function readEventTopic(
  topic: string,
  kafka: KafkaOptions,
  recording: Recording,
): Promise<void> {
  const { ssl, sasl, brokers } = kafkajsConnection(kafka);
  const remaining = await endOffsets(topic, kafka);
  if (remaining.size === 0) return;
  const abort = new AbortController();
  let idle = setTimeout(() => abort.abort(), IDLE_TIMEOUT_MS);
  /** Whether the record existed at the time of the call. Records that others add meanwhile do not prolong the reading. */
  const progress = (partition: number, offset: string): boolean => {
    const end = remaining.get(partition);
    if (end === undefined) return false;
    clearTimeout(idle);
    idle = setTimeout(() => abort.abort(), IDLE_TIMEOUT_MS);
    if (BigInt(offset) + 1n >= end) remaining.delete(partition);
    return BigInt(offset) < end;
  };
  const events = consume({
    brokers: brokers as string[],
    ssl,
    sasl,
    ...(kafka.registry ? { registry: kafka.registry } : {}),
    topics: [topic],
    groupId: `austream-report-${randomUUID()}`,
    commit: false,
    fromBeginning: true,
    signal: abort.signal,
    // Records that cannot be decoded are skipped; the last one of a partition may be such a record.
    onPoison: ({ partition, offset }) => {
      progress(partition, offset);
      if (remaining.size === 0) abort.abort();
    },
  });
  try {
    for await (const event of events) {
      if (progress(event.partition, event.offset)) {
        if (event.record === 'AuFrame') recording.addFrame(event.value);
        else if (event.record === 'CameraStatus') recording.addStatus(event.value);
      }
      if (remaining.size === 0) break;
    }
  } finally {
    clearTimeout(idle);
  }
}

/** End offset (offset after the last record) per partition that is not empty. */
async function endOffsets(topic: string, kafka: KafkaOptions): Promise<Map<number, bigint>> {
  return withAdmin(
    kafka,
    async (admin) => {
      if (!(await admin.listTopics()).includes(topic))
        throw new AustreamError('ARGUMENT_INVALID', `neither a file nor a topic on these brokers: ${topic}`);
      const offsets = await admin.fetchTopicOffsets(topic);
      return new Map(
        offsets
          .filter(({ low, high }) => BigInt(high) > BigInt(low))
          .map(({ partition, high }) => [partition, BigInt(high)]),
      );
    },
    { topics: [topic] },
  );
}
