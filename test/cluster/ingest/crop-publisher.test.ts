import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromCropRecord, NO_TRACK } from '../../../src/cluster/crop-record.ts';
import { CropBatcher } from '../../../src/cluster/ingest/crop-batcher.ts';
import { CropPublisher } from '../../../src/cluster/ingest/crop-publisher.ts';
import { clusterOptions } from '../../../src/cluster/options.ts';
import { PixelDecoder, PixelEncoder } from '../../../src/cluster/pixel-codec.ts';
import { faceKey } from '../../../src/domain/track-key.ts';
import { kafkaOptions } from '../../../src/kafka/options.ts';
import { RecordEncoder } from '../../../src/records/avro.ts';
import { RecordDecoder } from '../../../src/records/decode.ts';
import type { FaceCropBatch } from '../../../src/records/events.ts';
import { MockBroker } from '../../broker/mock-broker.ts';
import { type ReadMessage, readTopic } from '../../broker/read-topic.ts';
import { faceCrop, frameOf } from '../../infer/faces.ts';

const TRACKS = 100;
/** Of each topic of the mock broker. */
const PARTITIONS = 4;
const PREFIXES = {
  raw: 'raw.',
  jpeg: 'jpeg.',
  pixels: 'pixels.',
  overload: 'overload.',
  files: 'files.',
  failure: 'failure.',
} as const;

let broker: MockBroker;
beforeAll(async () => {
  broker = await MockBroker.start(Object.values(PREFIXES).map((prefix) => `${prefix}crops`));
});
afterAll(() => broker.stop());

/** A publisher to a topic of its own. */
async function open(test: keyof typeof PREFIXES, encoding: 'raw' | 'jpeg', from = broker) {
  const dropped: unknown[] = [];
  const topicPrefix = PREFIXES[test];
  const publisher = await CropPublisher.open(
    kafkaOptions.parse({ brokers: from.addresses, topicPrefix, topics: { create: false } }),
    clusterOptions.parse({ crops: { encoding } }),
    { dropped: (...loss) => void dropped.push(loss) },
  );
  const published = () => readTopic(broker.addresses, `${topicPrefix}crops`);
  return { publisher, dropped, published };
}

/** The records of many faces at once: the start of an epoch, then the crops of each track, then the end of each track. */
function crowdRecords() {
  const batcher = new CropBatcher({ hop: 16, gapSeconds: 1 });
  const faces = Array.from({ length: TRACKS }, (_, i) =>
    faceCrop({ frame: 0, trackId: i + 1, live: true, shade: i }),
  );
  const start = batcher.push(frameOf(faces), 0);
  return { start, crops: batcher.flushOlderThan(1), ends: batcher.endEpoch('cam') };
}

/** The expected messages of the topic: one per record, but the start of an epoch in every partition. */
async function expectedMessages(batches: readonly FaceCropBatch[], encoding: 'raw' | 'jpeg') {
  const pixels = new PixelEncoder(clusterOptions.parse({ crops: { encoding } }).crops);
  const encoder = new RecordEncoder('FaceCropBatch');
  const messages = batches.map(async (batch) => {
    const message = {
      key: faceKey(batch),
      value: encoder.encode(await pixels.encode(batch)).toString('base64'),
    };
    return Array.from({ length: batch.trackId === NO_TRACK ? PARTITIONS : 1 }, () => message);
  });
  return (await Promise.all(messages)).flat();
}

const comparable = ({ key, value }: ReadMessage) => ({ key, value: value!.toString('base64') });
/** Messages by key: the order within a key counts, the order of keys does not. */
const byKey = <T extends { key: string }>(messages: readonly T[]) =>
  Object.fromEntries(Map.groupBy(messages, ({ key }) => key));

describe('CropPublisher', () => {
  for (const encoding of ['raw', 'jpeg'] as const)
    it(`publishes all ${encoding} records of a crowd, byte for byte and in order`, async () => {
      const { publisher, dropped, published } = await open(encoding, encoding);
      const { start, crops, ends } = crowdRecords();
      for (const batches of [start, crops, ends]) await publisher.publish(batches);
      expect(await publisher.flush(30_000)).toBe(true);
      await publisher.close();
      expect(dropped).toEqual([]);
      const messages = await published();
      expect(byKey(messages.map(comparable))).toEqual(
        byKey(await expectedMessages([...start, ...crops, ...ends], encoding)),
      );
      const starts = messages.filter(({ key }) => key === `cam/${NO_TRACK}`);
      expect(starts.map(({ partition }) => partition).sort()).toEqual([0, 1, 2, 3]);
    });

  it('publishes pixels that decode to those of the crops', async () => {
    const { publisher, published } = await open('pixels', 'raw');
    await publisher.publish(crowdRecords().crops);
    expect(await publisher.flush(30_000)).toBe(true);
    await publisher.close();
    const decoder = new RecordDecoder();
    const shades = new Map<number, number>();
    for (const { value } of await published()) {
      const decoded = await decoder.decode(value);
      if (decoded.record !== 'FaceCropBatch') throw new Error(decoded.record);
      for (const { trackId, pixels } of fromCropRecord(await new PixelDecoder().decode(decoded.value))) {
        expect(new Set(pixels).size).toBe(1);
        shades.set(trackId, pixels[0]!);
      }
    }
    expect([...shades].sort(([a], [b]) => a - b)).toEqual(
      Array.from({ length: TRACKS }, (_, i) => [i + 1, i]),
    );
  });

  it('drops crops that cannot be encoded, and nothing behind them; their track still ends', async () => {
    const { publisher, dropped, published } = await open('failure', 'jpeg');
    const { start, crops, ends } = crowdRecords();
    const [first, ...rest] = crops;
    const damage = (batch: FaceCropBatch, change: object) => ({
      ...batch,
      crops: batch.crops.map((crop) => ({ ...crop, ...change })),
    });
    // libvips refuses the pixels; the schema refuses the box.
    const damaged = [
      damage(first!, { pixels: Buffer.alloc(5) }),
      { ...damage(first!, { box: null }), ended: true },
    ] as FaceCropBatch[];
    for (const batches of [start, damaged, rest, ends]) await publisher.publish(batches);
    expect(await publisher.flush(30_000)).toBe(true);
    expect(publisher.pending).toBe(0);
    await publisher.close();
    expect(dropped).toEqual(damaged.map(() => ['cam', 1, 'crop_encoding_failed']));
    const end = { ...first!, crops: [], ended: true };
    expect(byKey((await published()).map(comparable))).toEqual(
      byKey(await expectedMessages([...start, end, ...rest, ...ends], 'jpeg')),
    );
  });

  it('drops live crops while the encoder is overloaded, but no start of an epoch and no end of a track', async () => {
    const { publisher, dropped, published } = await open('overload', 'jpeg');
    const { start, crops, ends } = crowdRecords();
    const publishing = [crops, crops, start, ends].map((batches) => publisher.publish(batches));
    expect(dropped).toEqual(crops.map(() => ['cam', 1, 'crop_encoding_overload']));
    await Promise.all(publishing);
    expect(await publisher.flush(30_000)).toBe(true);
    await publisher.close();
    const expected = await expectedMessages([...crops, ...start, ...ends], 'jpeg');
    expect(byKey((await published()).map(comparable))).toEqual(byKey(expected));
  });

  it('makes files wait for their own records, not for those of live cameras', async () => {
    const away = await MockBroker.start([`${PREFIXES.files}crops`]);
    const { publisher } = await open('files', 'raw', away);
    await away.stop();
    const { crops } = crowdRecords();
    await publisher.publish(crops);
    const file = crops.map((batch): FaceCropBatch => ({ ...batch, cameraId: 'clip', clockSource: 'file' }));
    await publisher.publish(file.slice(0, 32));
    await publisher.roomForFiles();
    expect(publisher.pending).toBe(TRACKS + 32);
    // The end of a file does not wait: a worker stops also without brokers.
    await publisher.publish(file.slice(32, 33));
    let hasRoom = false;
    const next = publisher.roomForFiles().then(() => (hasRoom = true));
    await publisher.flush(1);
    expect(hasRoom).toBe(false);
    // What is lost makes room too.
    await publisher.close();
    await next;
  });
});
