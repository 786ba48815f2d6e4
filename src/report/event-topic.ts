import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { consume } from '../consume/index.ts';
import { AustreamError } from '../errors.ts';
import { kafkajsConnection } from '../kafka/connection.ts';
import { toAustreamError } from '../kafka/kafkajs-errors.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import type { Recording } from './recording.ts';

/** The topic may hold records that are never given out (another schema's, compacted away): this ends the wait. */
const SILENCE_MS = 10_000;

/** Reads all that a topic of AuFrames holds at this moment. */
export async function readTopic(topic: string, kafka: KafkaOptions, recording: Recording): Promise<void> {
  const { ssl, sasl, brokers } = kafkajsConnection(kafka);
  const list = brokers as string[];
  const ends = await endsOf(topic, kafka);
  const leave = new AbortController();
  let silence = setTimeout(() => leave.abort(), SILENCE_MS);
  if (ends.size === 0) leave.abort();
  const options = { brokers: list, ssl, sasl, ...(kafka.registry ? { registry: kafka.registry } : {}) };
  const group = { groupId: `austream-report-${randomUUID()}`, commit: false, fromBeginning: true };
  for await (const event of consume({
    ...options,
    ...group,
    topics: [topic],
    signal: leave.signal,
    onPoison: () => {},
  })) {
    clearTimeout(silence);
    silence = setTimeout(() => leave.abort(), SILENCE_MS);
    if (event.record === 'AuFrame') recording.frame(event.value);
    else if (event.record === 'CameraStatus') recording.status(event.value as never);
    if (BigInt(event.offset) + 1n >= (ends.get(event.partition) ?? 0n)) ends.delete(event.partition);
    if (ends.size === 0) break;
  }
  clearTimeout(silence);
}

/** Per partition that holds anything, the offset after its last record. */
async function endsOf(topic: string, kafka: KafkaOptions): Promise<Map<number, bigint>> {
  const connection = kafkajsConnection(kafka);
  const admin = new kafkajs.Kafka({ ...connection, logLevel: kafkajs.logLevel.NOTHING }).admin();
  try {
    await admin.connect();
    if (!(await admin.listTopics()).includes(topic))
      throw new AustreamError('ARGUMENT_INVALID', `neither a file nor a topic of these brokers: ${topic}`);
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(
      offsets
        .filter(({ low, high }) => BigInt(high) > BigInt(low))
        .map(({ partition, high }) => [partition, BigInt(high)]),
    );
  } catch (error) {
    throw error instanceof AustreamError
      ? error
      : toAustreamError(error, connection.brokers as string[], [topic]);
  } finally {
    await admin.disconnect();
  }
}
