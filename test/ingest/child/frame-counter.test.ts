import { expect, test } from 'vitest';
import { FrameCounter } from '../../../src/ingest/child/frame-counter.ts';

test('frames of an epoch are numbered from 0 and counted, drops by cause', () => {
  const counter = new FrameCounter();
  expect([counter.decoded(), counter.decoded(), counter.decoded()]).toEqual([0, 1, 2]);
  counter.analysed();
  counter.drop('overload');
  counter.drop('reader_slow', 5);
  counter.drop('overload');
  const { counts } = counter;
  expect(counts).toEqual({ decoded: 3, analysed: 1, drops: { overload: 2, reader_slow: 5 } });
  counter.reset();
  expect(counter.decoded()).toBe(0);
  expect(counter.counts).toEqual({ decoded: 1, analysed: 0, drops: {} });
  expect(counts.drops).toEqual({ overload: 2, reader_slow: 5 });
});
