import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DecoderQueue, LIVE_BUFFERS } from '../../../src/ingest/child/decoder-queue.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  vi.advanceTimersByTime(1_000);
});
afterEach(() => {
  vi.useRealTimers();
});

test('frames beyond the queue’s capacity that were decoded and not read are counted once', () => {
  let decoded = 0;
  const queue = new DecoderQueue({
    property: () => `application/x-identity-stats, num-bytes=(guint64)9, num-buffers=(guint64)${decoded};`,
  });
  const poll = (read: number) => {
    vi.advanceTimersByTime(200);
    return queue.newDrops(read);
  };
  decoded = 5;
  expect(poll(5)).toBe(0);
  decoded = 5 + LIVE_BUFFERS;
  expect(poll(5)).toBe(0);
  decoded += 30;
  expect(poll(5)).toBe(30);
  expect(poll(5)).toBe(0);
  decoded += 10;
  expect(poll(5 + LIVE_BUFFERS)).toBe(0);
});

test('the statistics are read at most every 200 ms, and a missing element counts nothing', () => {
  const property = vi.fn(() => undefined);
  const queue = new DecoderQueue({ property });
  for (let frame = 0; frame < 25; frame++) {
    expect(queue.newDrops(frame)).toBe(0);
    vi.advanceTimersByTime(40);
  }
  expect(property).toHaveBeenCalledTimes(5);
});
