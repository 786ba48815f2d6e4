import { gzipSync } from 'node:zlib';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { consume } from '../../src/consume/index.ts';
import { boundGzip } from '../../src/kafka/bounded-gzip.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher, type Publisher } from '../../src/publish/publisher.ts';
import { frameNumber } from '../records/samples.ts';

const { CompressionCodecs, CompressionTypes, Kafka } = kafkajs;
const original = CompressionCodecs[CompressionTypes.GZIP];
let publisher: Publisher;

beforeAll(async () => {
  publisher = await openPublisher(kafkaOptions.parse({ embedded: true }), {
    acknowledged: () => {},
    dropped: () => {},
  });
  publisher.frames([frameNumber(0)]);
  await publisher.flush(20_000);
}, 60_000);
afterAll(async () => {
  CompressionCodecs[CompressionTypes.GZIP] = original!;
  await publisher?.close();
});

test('a batch that decompresses to 200 MB ends the loop instead of filling the memory', async () => {
  const kafka = new Kafka({ brokers: [publisher.brokers], logLevel: 0 });
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({
    topic: 'au.frames',
    compression: CompressionTypes.GZIP,
    messages: [{ key: 'a', value: Buffer.alloc(200_000_000) }],
  });
  await producer.disconnect();
  const read = async () => {
    const options = { brokers: [publisher.brokers], topics: ['au.frames'] as const, groupId: 'bomb' };
    for await (const _ of consume({ ...options, fromBeginning: true }));
  };
  await expect(read()).rejects.toMatchObject({
    code: 'MESSAGE_UNREADABLE',
    message: expect.stringContaining('when it is decompressed'),
  });
}, 60_000);

test('other batches are read and written as before', async () => {
  boundGzip();
  const codec = CompressionCodecs[CompressionTypes.GZIP]!();
  const text = Buffer.from('muscle movements only'.repeat(1000));
  expect(await codec.decompress(gzipSync(text))).toEqual(text);
  expect(await codec.decompress(await codec.compress({ buffer: text }))).toEqual(text);
  await expect(codec.decompress(Buffer.from('no gzip'))).rejects.toMatchObject({ code: 'Z_DATA_ERROR' });
});
