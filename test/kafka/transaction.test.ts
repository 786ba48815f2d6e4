import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GroupReader } from '../../src/kafka/group-reader.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { type CallContext, TransactionalProducer } from '../../src/kafka/transaction.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { readTopic } from '../broker/read-topic.ts';

const CONSUMED = 'crops';
const PUBLISHED = 'frames';
const TRANSACTIONAL_ID = 'austream-infer-0';
const context: CallContext = { closing: new AbortController().signal, turn: (call) => call(5_000) };

// A real broker: librdkafka's mock keeps no offsets of transactions.
let broker: KafkaBroker;
let reader: GroupReader;
beforeAll(async () => {
  broker = await KafkaBroker.start();
  const admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: CONSUMED }, { topic: PUBLISHED }] });
  await admin.disconnect();
  const { promise: assigned, resolve: onAssigned } = Promise.withResolvers<void>();
  reader = await GroupReader.open(
    kafkaOptions.parse({ brokers: [broker.address] }),
    { topic: CONSUMED, group: 'austream-infer', sessionSeconds: 6, from: 'end' },
    { assigned: () => onAssigned(), revoked: async () => {}, message: () => {}, caughtUp: () => {} },
  );
  await assigned;
}, 180_000);
afterAll(async () => {
  await reader?.close();
  await broker?.stop();
});

const open = () =>
  TransactionalProducer.open(kafkaOptions.parse({ brokers: [broker.address] }), {
    transactionalId: TRANSACTIONAL_ID,
    ...context,
  });

/** One transaction with one record and an offset of partition 0. */
function publish(producer: TransactionalProducer, value: string, offset: number) {
  const record = { topic: PUBLISHED, key: 'cam/1', value: Buffer.from(value) };
  return producer.publish([record], { topic: CONSUMED, partition: 0, offset }, reader.consumer, context);
}

const published = async () =>
  (await readTopic([broker.address], PUBLISHED)).map(({ value }) => value!.toString());

describe('TransactionalProducer', () => {
  it('commits records and offset together, until a producer with the same id fences it', async () => {
    const first = await open();
    expect(await publish(first, 'by the first', 5)).toBeNull();
    expect(await reader.committed(0)).toBe(5);
    expect(await published()).toEqual(['by the first']);

    const second = await open();
    await expect(publish(first, 'by the fenced one', 7)).rejects.toMatchObject({
      code: 'KAFKA_PRODUCER_FENCED',
      message: expect.stringContaining(TRANSACTIONAL_ID),
      canRetry: true,
    });
    expect(await reader.committed(0)).toBe(5);

    expect(await publish(second, 'by the second', 9)).toBeNull();
    expect(await reader.committed(0)).toBe(9);
    expect(await published()).toEqual(['by the first', 'by the second']);
    await Promise.all([first.close(), second.close()]);
  }, 60_000);

  it('rejects after it was closed', async () => {
    const producer = await open();
    await producer.close();
    await expect(publish(producer, 'too late', 11)).rejects.toMatchObject({ code: 'KAFKA_PRODUCER_FENCED' });
    expect(await reader.committed(0)).not.toBe(11);
  }, 60_000);
});
