import { Partitioners } from 'kafkajs';
import { kafkajsConnection } from './connection.ts';
import { Kafka } from './corrected-kafkajs.ts';
import { toAustreamError } from './kafkajs-errors.ts';
import type { KafkaOptions } from './options.ts';

/** A row of a compacted topic; a null value deletes the key. */
export interface TableRecord {
  readonly key: string;
  readonly partition: number;
  readonly value: Buffer | null;
}

/**
 * Writes rows to a compacted topic and waits until every in-sync replica has them. `TableReader` reads them. Throws
 * KAFKA_UNREACHABLE or KAFKA_REJECTED.
 */
export async function writeTable(
  kafka: KafkaOptions,
  topic: string,
  records: readonly TableRecord[],
): Promise<void> {
  const producer = new Kafka(kafkajsConnection(kafka)).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    idempotent: true,
  });
  try {
    await producer.connect();
    await producer.send({ topic, acks: -1, messages: [...records] });
  } catch (error) {
    throw toAustreamError(error, kafka.brokers ?? []);
  } finally {
    await producer.disconnect().catch(() => {});
  }
}
