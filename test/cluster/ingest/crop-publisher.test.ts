import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CropBatcher } from '../../../src/cluster/ingest/crop-batcher.ts';
import { CropPublisher } from '../../../src/cluster/ingest/crop-publisher.ts';
import { clusterOptions } from '../../../src/cluster/options.ts';
import { kafkaOptions } from '../../../src/kafka/options.ts';
import { MockBroker } from '../../broker/mock-broker.ts';
import { faceCrop, frameOf } from '../../infer/faces.ts';

const TRACKS = 100;

let broker: MockBroker;
beforeAll(async () => {
  broker = await MockBroker.start(['au.crops']);
});
afterAll(() => broker.stop());

async function open(encoding: 'raw' | 'jpeg') {
  const dropped: unknown[] = [];
  const publisher = await CropPublisher.open(
    kafkaOptions.parse({ brokers: broker.addresses, topics: { create: false } }),
    clusterOptions.parse({ crops: { encoding } }),
    { dropped: (...what) => void dropped.push(what), connection: () => {} },
  );
  return { publisher, dropped };
}

/** The records of a crowd: the beginning of its epoch, crops of each track that wait no longer, the end of each track. */
function crowd() {
  const batcher = new CropBatcher({ hop: 16, gapSeconds: 1 });
  const faces = Array.from({ length: TRACKS }, (_, i) => faceCrop({ frame: 0, trackId: i + 1, live: true }));
  const began = batcher.push(frameOf(faces), 0);
  return { began, crops: batcher.flushOlderThan(1), ends: batcher.endEpoch('cam') };
}

describe('CropPublisher', () => {
  for (const encoding of ['raw', 'jpeg'] as const)
    it(`loses nothing of a crowd whose ${encoding} records come together`, async () => {
      const { publisher, dropped } = await open(encoding);
      const { began, crops, ends } = crowd();
      for (const batches of [began, crops, ends]) await publisher.publish(batches);
      expect(await publisher.flush(30_000)).toBe(true);
      expect(dropped).toEqual([]);
      await publisher.close();
    });

  it('drops live crops where encoding falls behind, but no beginning and no end', async () => {
    const { publisher, dropped } = await open('jpeg');
    const { began, crops, ends } = crowd();
    const publishing = [crops, crops, began, ends].map((batches) => publisher.publish(batches));
    expect(dropped).toEqual(crops.map(() => ['cam', 1, 'crop_encoding_overload']));
    await Promise.all(publishing);
    expect(await publisher.flush(30_000)).toBe(true);
    await publisher.close();
  });
});
