import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cameraOptions } from '../../../src/camera/options.ts';
import { wallMicros } from '../../../src/clock.ts';
import type { Frame } from '../../../src/domain/frame.ts';
import { type EpochStart, FrameReader } from '../../../src/ingest/child/frame-reader.ts';
import type { Pulled } from '../../../src/ingest/child/gstreamer.ts';
import { ingestOptions } from '../../../src/ingest/options.ts';
import type { FrameCounts } from '../../../src/ingest/protocol/messages.ts';
import { gdp, pulledFrame } from './pulled-frame.ts';

const START = Date.UTC(2026, 0, 1);
const LATER = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['Date', 'performance'] });
  wallMicros();
});
afterEach(() => {
  vi.useRealTimers();
});

/**
 * A reader of the given buffers, each pulled `at` milliseconds after the start. The host clock is set by `step` before
 * buffer number `stepAt`.
 */
function readerOf(
  pulled: readonly { at: number; buffer: Pulled }[],
  { live = true, maxAgeSeconds = 1, startAt = 0, stepAt = -1, step = 0 } = {},
) {
  const epochs: EpochStart[] = [];
  const endedCounts: FrameCounts[] = [];
  const queue = [...pulled];
  const pipeline = {
    pull: async () => {
      const next = queue.shift();
      if (next === undefined) return null;
      if (pulled.length - queue.length - 1 === stepAt) vi.setSystemTime(Date.now() + step);
      vi.advanceTimersByTime(START + next.at - Date.now());
      return next.buffer;
    },
    property: () => undefined,
    set: () => false,
  };
  const reader = new FrameReader(
    pipeline,
    {
      camera: cameraOptions.parse({ id: 'c', url: live ? 'rtsp://c/1' : 'file:///c.mp4' }),
      ingest: ingestOptions.parse({ maxAgeSeconds, maxClockErrorSeconds: 0 }),
      lastEpoch: live ? 0 : -1,
      live,
    },
    (epoch) => epochs.push(epoch),
    () => endedCounts.push(reader.counter.counts),
  );
  reader.start((START + startAt) * 1000);
  return { reader, epochs, endedCounts };
}

async function readAll(reader: FrameReader): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let frame = await reader.next(); frame !== null; frame = await reader.next()) frames.push(frame);
  return frames;
}

test('a change of format begins an epoch with the first frame of the new format', async () => {
  const { reader, epochs } = readerOf(
    [0, 40, 80, 120].map((at) => ({ at, buffer: pulledFrame(at, at < 80 ? {} : { width: 32, height: 24 }) })),
  );
  const frames = await readAll(reader);
  expect(frames.map(({ frame, image }) => [frame, image.width])).toEqual([
    [0, 64],
    [1, 64],
    [0, 32],
    [1, 32],
  ]);
  expect(epochs.map(({ cause, width }) => [cause, width])).toEqual([
    ['first_frame', 64],
    ['format_changed', 32],
  ]);
  expect(frames[2]!.epoch).toBeGreaterThan(frames[1]!.epoch);
  expect(frames.map(({ captureTime }) => captureTime / 1000 - START)).toEqual([0, 40, 80, 120]);
});

test('the counts of an epoch are reported before the next one begins', async () => {
  const { reader, endedCounts } = readerOf(
    [0, 40, 80].map((at) => ({ at, buffer: pulledFrame(at, at < 80 ? {} : { width: 32, height: 24 }) })),
  );
  await reader.next();
  await reader.next();
  reader.counter.drop('analysis_slow');
  await reader.next();
  expect(endedCounts).toEqual([{ decoded: 2, analysed: 0, drops: { analysis_slow: 1 } }]);
  expect(reader.counter.counts).toEqual({ decoded: 1, analysed: 0, drops: {} });
});

test('a frame that the decoder flags as corrupted is marked corrupt', async () => {
  const { reader } = readerOf([
    { at: 0, buffer: pulledFrame(0) },
    { at: 40, buffer: pulledFrame(40, { flags: 1 << 8 }) },
  ]);
  expect((await readAll(reader)).map(({ corrupt }) => corrupt)).toEqual([false, true]);
});

test('a buffer that does not match its format is dropped and counted', async () => {
  const truncated = { ...pulledFrame(40), bytes: gdp(1, Buffer.alloc(100), { ptsMs: 40 }) };
  const { reader } = readerOf([
    { at: 0, buffer: pulledFrame(0) },
    { at: 40, buffer: truncated },
  ]);
  expect(await readAll(reader)).toHaveLength(1);
  expect(reader.counter.counts).toMatchObject({ decoded: 1, drops: { unreadable: 1 } });
});

test('the capture time of a file starts at 0, whatever its first PTS, and follows the frame interval without PTS', async () => {
  const offset = readerOf(
    [1000, 1040, 1080].map((pts) => ({ at: 0, buffer: pulledFrame(pts) })),
    { live: false },
  );
  expect((await readAll(offset.reader)).map(({ captureTime, epoch }) => [captureTime, epoch])).toEqual([
    [0, 0],
    [40_000, 0],
    [80_000, 0],
  ]);
  const withoutPts = readerOf(
    [1, 2, 3].map(() => ({ at: 0, buffer: pulledFrame(-1) })),
    { live: false },
  );
  expect((await readAll(withoutPts.reader)).map(({ captureTime }) => captureTime)).toEqual([
    0, 40_000, 80_000,
  ]);
});

test('a burst of older frames at the start gets no capture time in the future', async () => {
  // The server sends four seconds at once, then continues in real time.
  const burst = Array.from({ length: 150 }, (_, index) => ({
    at: Math.max(index, (index - 100) * 40 + 100),
    buffer: pulledFrame(index * 40),
  }));
  const { reader } = readerOf(burst);
  for (const { captureTime, receivedAt } of await readAll(reader))
    expect(captureTime - receivedAt).toBeLessThanOrEqual(200);
});

test('decoding that stays behind by more than the maximum age is lagging; a hiccup is not', async () => {
  const hiccup = readerOf(
    Array.from({ length: 200 }, (_, index) => ({
      at: index <= 50 ? index * 40 : Math.max(index * 40, 3_500 + index),
      buffer: pulledFrame(index * 40),
    })),
  );
  for (let frame = 0; frame < 200; frame++) {
    await hiccup.reader.next();
    expect(hiccup.reader.lagging).toBe(false);
  }
  // Decoding at half of real time. It starts later, because the fake clock only moves forward.
  const slow = readerOf(
    Array.from({ length: 150 }, (_, index) => ({ at: LATER + index * 80, buffer: pulledFrame(index * 40) })),
    { startAt: LATER },
  );
  const lagging: boolean[] = [];
  for (let frame = 0; frame < 150; frame++) {
    await slow.reader.next();
    lagging.push(slow.reader.lagging);
  }
  // One second behind after frame 25, lagging three seconds (38 frames) later.
  expect(lagging.indexOf(true)).toBeGreaterThan(60);
  expect(lagging.indexOf(true)).toBeLessThan(70);
});

test.each([10_000, -10_000])(
  'a host clock that is set by %d ms begins an epoch, and no frame is late',
  async (step) => {
    const { reader, epochs } = readerOf(
      Array.from({ length: 250 }, (_, index) => ({
        at: index * 40 + (index < 100 ? 0 : step),
        buffer: pulledFrame(index * 40),
      })),
      { stepAt: 100, step },
    );
    const frames: Frame[] = [];
    for (let frame = 0; frame < 250; frame++) {
      frames.push((await reader.next())!);
      expect(reader.lagging).toBe(false);
    }
    expect(epochs.map(({ cause }) => cause)).toEqual(['first_frame', 'clock_stepped']);
    expect(frames.findIndex(({ epoch }) => epoch === epochs[1]!.epoch)).toBe(100);
    for (const { captureTime, receivedAt } of frames) expect(captureTime).toBe(receivedAt);
  },
);
