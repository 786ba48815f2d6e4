import { describe, expect, it } from 'vitest';
import { MAX_CROPS_PER_RECORD } from '../../../src/cluster/crop-record.ts';
import { CropBatcher } from '../../../src/cluster/ingest/crop-batcher.ts';
import type { FaceCropBatch } from '../../../src/records/events.ts';
import { faceCrop, frameOf } from '../../infer/faces.ts';

const framesOf = (records: readonly FaceCropBatch[]) =>
  records.filter(({ crops }) => crops.length > 0).map(({ crops }) => crops.map(({ frame }) => frame));

describe('CropBatcher', () => {
  it('marks the start of an epoch, cuts at hops, marks the end of every track', () => {
    const batcher = new CropBatcher({ hop: 4, gapSeconds: 1 });
    const records: FaceCropBatch[] = [];
    for (let frame = 0; frame < 10; frame += 1)
      records.push(...batcher.push(frameOf([faceCrop({ frame }), faceCrop({ frame, trackId: 2 })]), frame));
    records.push(...batcher.push(frameOf([faceCrop({ frame: 10 })], [2]), 10), ...batcher.endEpoch('cam'));
    expect(records[0]).toMatchObject({ trackId: 0, crops: [], ended: false });
    const recordsOf = (id: number) => records.filter(({ trackId }) => trackId === id);
    expect(framesOf(recordsOf(1))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10],
    ]);
    expect(framesOf(recordsOf(2))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(recordsOf(1).at(-1)).toMatchObject({ ended: true, epochEnded: true });
    expect(recordsOf(2).at(-1)).toMatchObject({ ended: true, epochEnded: false });
    expect(batcher.endEpoch('cam')).toEqual([]);
  });

  it('drops the crops of a paused camera that are in no record yet, and still ends its tracks', () => {
    const batcher = new CropBatcher({ hop: 4, gapSeconds: 1 });
    for (let frame = 0; frame < 6; frame += 1) batcher.push(frameOf([faceCrop({ frame })]), frame);
    const { records, dropped } = batcher.discardEpoch('cam');
    expect(dropped).toBe(2);
    expect(records).toMatchObject([{ trackId: 1, crops: [], ended: true, epochEnded: true }]);
    expect(batcher.discardEpoch('cam')).toEqual({ records: [], dropped: 0 });
  });

  it('flushes crops that have waited too long, and the rest of their hop as soon as it is complete', () => {
    const batcher = new CropBatcher({ hop: 4, gapSeconds: 1 });
    for (let frame = 0; frame < 3; frame += 1) batcher.push(frameOf([faceCrop({ frame })]), 100 * frame);
    expect(batcher.flushOlderThan(0)).toEqual([]);
    expect(framesOf(batcher.flushOlderThan(1))).toEqual([[0, 1, 2]]);
    expect(batcher.flushOlderThan(1_000)).toEqual([]);
    expect(framesOf(batcher.push(frameOf([faceCrop({ frame: 3 })]), 300))).toEqual([[3]]);
  });

  it('cuts where a gap starts a new window', () => {
    const batcher = new CropBatcher({ hop: 4, gapSeconds: 1 });
    const frames = [0, 1, 2, 40, 41, 42, 43];
    const records = frames.flatMap((frame) => batcher.push(frameOf([faceCrop({ frame })]), 0));
    expect(framesOf(records)).toEqual([
      [0, 1, 2],
      [40, 41, 42, 43],
    ]);
  });

  it('does not cut a stream whose frames are a second apart', () => {
    const batcher = new CropBatcher({ hop: 4, gapSeconds: 1 });
    const slow = (frame: number) => faceCrop({ frame, at: frame * 1_010_000, interval: 1_000_000 });
    const records = [0, 1, 2, 3].flatMap((frame) => batcher.push(frameOf([slow(frame)]), 0));
    expect(framesOf(records)).toEqual([[0, 1, 2, 3]]);
  });

  it('keeps records below the size that brokers accept', () => {
    const batcher = new CropBatcher({ hop: 64, gapSeconds: 1 });
    const records = Array.from({ length: 64 }, (_, frame) =>
      batcher.push(frameOf([faceCrop({ frame })]), 0),
    ).flat();
    expect(framesOf(records).map(({ length }) => length)).toEqual([
      MAX_CROPS_PER_RECORD,
      MAX_CROPS_PER_RECORD,
      64 - 2 * MAX_CROPS_PER_RECORD,
    ]);
  });
});
