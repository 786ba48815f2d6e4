import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cameraOptions } from '../../../src/camera/options.ts';
import type { Frame } from '../../../src/domain/frame.ts';
import { type EpochBegin, FrameReader } from '../../../src/ingest/child/frame-reader.ts';
import type { Pulled } from '../../../src/ingest/child/gstreamer.ts';
import { ingestOptions } from '../../../src/ingest/options.ts';
import type { FrameCounts } from '../../../src/ingest/protocol/messages.ts';

const START = Date.UTC(2026, 0, 1);
const LATER = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** One GStreamer Data Protocol packet. */
function gdp(type: 1 | 2, payload: Buffer, { ptsMs = 0, flags = 0 } = {}): Buffer {
  const header = Buffer.alloc(62);
  header.writeUInt16BE(type, 4);
  header.writeUInt32BE(payload.length, 6);
  header.writeBigUInt64BE(ptsMs < 0 ? 0xffff_ffff_ffff_ffffn : BigInt(ptsMs) * 1_000_000n, 10);
  header.writeUInt16BE(flags, 42);
  return Buffer.concat([header, payload]);
}

function picture(ptsMs: number, { width = 64, height = 48, flags = 0, fps = 25 } = {}): Pulled {
  const caps = `video/x-raw, width=(int)${width}, height=(int)${height}, framerate=(fraction)${fps}/1, format=(string)I420, colorimetry=(string)bt709\0`;
  return {
    bytes: gdp(1, Buffer.alloc((width * height * 3) / 2), { ptsMs, flags }),
    streamheader: [gdp(2, Buffer.from(caps))],
  };
}

/** A reader over the given buffers, each taken so long after the start; at number `setAt` the clock is set by `step`. */
function read(
  pulled: readonly { at: number; buffer: Pulled }[],
  { live = true, maxAgeSeconds = 1, startAt = 0, setAt = -1, step = 0 } = {},
) {
  const epochs: EpochBegin[] = [];
  const before: FrameCounts[] = [];
  const queue = [...pulled];
  const pipeline = {
    pull: async () => {
      const next = queue.shift();
      if (next === undefined) return null;
      if (pulled.length - queue.length - 1 === setAt) vi.setSystemTime(Date.now() + step);
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
    () => before.push(reader.counts),
  );
  reader.start((START + startAt) * 1000);
  return { reader, epochs, before };
}

async function all(reader: FrameReader): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let frame = await reader.next(); frame !== null; frame = await reader.next()) frames.push(frame);
  return frames;
}

test('a change of format begins an epoch; the format comes with the buffer itself', async () => {
  const { reader, epochs } = read(
    [0, 40, 80, 120].map((at) => ({ at, buffer: picture(at, at < 80 ? {} : { width: 32, height: 24 }) })),
  );
  const frames = await all(reader);
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

test('a change of epoch tells what the one before has counted', async () => {
  const { reader, before } = read(
    [0, 40, 80].map((at) => ({ at, buffer: picture(at, at < 80 ? {} : { width: 32, height: 24 }) })),
  );
  await reader.next();
  await reader.next();
  reader.drop('analysis_slow');
  await reader.next();
  expect(before).toEqual([{ decoded: 2, analysed: 0, drops: { analysis_slow: 1 } }]);
  expect(reader.counts).toEqual({ decoded: 1, analysed: 0, drops: {} });
});

test('a frame that the decoder calls corrupt says so', async () => {
  const { reader } = read([
    { at: 0, buffer: picture(0) },
    { at: 40, buffer: picture(40, { flags: 1 << 8 }) },
  ]);
  expect((await all(reader)).map(({ corrupt }) => corrupt)).toEqual([false, true]);
});

test('a buffer that does not fit its format is counted, not shown', async () => {
  const torn = { ...picture(40), bytes: gdp(1, Buffer.alloc(100), { ptsMs: 40 }) };
  const { reader } = read([
    { at: 0, buffer: picture(0) },
    { at: 40, buffer: torn },
  ]);
  expect(await all(reader)).toHaveLength(1);
  expect(reader.counts).toMatchObject({ decoded: 1, drops: { unreadable: 1 } });
});

test('the time of a file is its own, from 0, whatever its first PTS, or counted where it has none', async () => {
  const shifted = read(
    [1000, 1040, 1080].map((pts) => ({ at: 0, buffer: picture(pts) })),
    { live: false },
  );
  expect((await all(shifted.reader)).map(({ captureTime, epoch }) => [captureTime, epoch])).toEqual([
    [0, 0],
    [40_000, 0],
    [80_000, 0],
  ]);
  const timeless = read(
    [1, 2, 3].map(() => ({ at: 0, buffer: picture(-1) })),
    { live: false },
  );
  expect((await all(timeless.reader)).map(({ captureTime }) => captureTime)).toEqual([0, 40_000, 80_000]);
});

test('a burst of older frames at the start is not dated into the future', async () => {
  // The server sends four seconds at once, then goes on in real time.
  const burst = Array.from({ length: 150 }, (_, index) => ({
    at: Math.max(index, (index - 100) * 40 + 100),
    buffer: picture(index * 40),
  }));
  const { reader } = read(burst);
  for (const { captureTime, receivedAt } of await all(reader))
    expect(captureTime - receivedAt).toBeLessThanOrEqual(200);
});

test('decoding that stays behind by more than allowed is lagging; a hiccup is not', async () => {
  const hiccup = read(
    Array.from({ length: 200 }, (_, index) => ({
      at: index <= 50 ? index * 40 : Math.max(index * 40, 3_500 + index),
      buffer: picture(index * 40),
    })),
  );
  for (let frame = 0; frame < 200; frame++) {
    await hiccup.reader.next();
    expect(hiccup.reader.lagging).toBe(false);
  }
  // Half of real time, from a later start on: this clock does not go back.
  const slow = read(
    Array.from({ length: 150 }, (_, index) => ({ at: LATER + index * 80, buffer: picture(index * 40) })),
    { startAt: LATER },
  );
  const lagging: boolean[] = [];
  for (let frame = 0; frame < 150; frame++) {
    await slow.reader.next();
    lagging.push(slow.reader.lagging);
  }
  // One second behind after frame 25, given up three seconds (38 frames) later.
  expect(lagging.indexOf(true)).toBeGreaterThan(60);
  expect(lagging.indexOf(true)).toBeLessThan(70);
});

test.each([10_000, -10_000])(
  'a host clock that is set by %d ms begins an epoch, and nothing is late',
  async (step) => {
    const { reader, epochs } = read(
      Array.from({ length: 250 }, (_, index) => ({
        at: index * 40 + (index < 100 ? 0 : step),
        buffer: picture(index * 40),
      })),
      { setAt: 100, step },
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
