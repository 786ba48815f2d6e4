import { expect, test } from 'vitest';
import type { FrameStamp } from '../../../src/domain/frame.ts';
import { StatusKeeper } from '../../../src/ingest/host/status.ts';

const picture = { epoch: 5, width: 640, height: 360, codec: 'h264' };
const stamp = { receivedAt: 0, interval: 40_000 } as FrameStamp;

test('a status tells the state, where it came from, why, and how long the last one lasted', () => {
  let now = 1_000_000;
  const keeper = new StatusKeeper('hall', 30, () => now);
  expect(keeper.enter('CONNECTING', 'started', 'connecting')).toBe(true);
  now += 1_500;
  keeper.picture(picture);
  expect(keeper.enter('LIVE', 'first_frame', '640×360 h264')).toBe(true);
  expect(keeper.status()).toMatchObject({
    cameraId: 'hall',
    at: 1_001_500_000,
    state: 'LIVE',
    since: 1_001_500_000,
    previous: 'CONNECTING',
    cause: 'first_frame',
    detail: '640×360 h264, after 1.5 s CONNECTING',
    epoch: 5,
    restarts: 0,
    width: 640,
    fps: null,
    gap: null,
  });
  now += 30_000;
  keeper.restarted();
  expect(keeper.enter('RECONNECTING', 'CAMERA_UNREACHABLE', 'gone')).toBe(true);
  expect(keeper.enter('RECONNECTING', 'CAMERA_UNREACHABLE', 'still gone')).toBe(false);
  expect(keeper.enter('RECONNECTING', 'CAMERA_NOT_FOUND', 'other')).toBe(true);
  expect(keeper.status()).toMatchObject({ previous: 'LIVE', restarts: 1, detail: 'other' });
});

test('the rate counts the frames of the last interval, and a camera that is not live has none', () => {
  let now = 0;
  const keeper = new StatusKeeper('hall', 30, () => now);
  keeper.enter('LIVE', 'first_frame', '');
  for (let frame = 0; frame < 50; frame++) {
    now += 40;
    keeper.frame({ ...stamp, receivedAt: (now - 12) * 1000 });
  }
  keeper.count();
  keeper.clock({ clockErrorMs: -7, driftPpm: 12.5 });
  expect(keeper.status()).toMatchObject({
    fps: 25,
    analysisFps: 30,
    lagMs: 12,
    clockErrorMs: -7,
    driftPpm: 12.5,
    since: 0,
  });
  expect([keeper.pace(1), keeper.pace(0.5), keeper.pace(0.5)]).toEqual([false, true, false]);
  expect(keeper.status()).toMatchObject({
    state: 'LIVE',
    analysisFps: 12.5,
    detail: expect.stringContaining('overloaded'),
  });
  keeper.enter('STALLED', 'CAMERA_STALLED', '');
  const nothing = { fps: null, analysisFps: null, lagMs: null, clockErrorMs: null, driftPpm: null };
  expect(keeper.status()).toMatchObject({ ...nothing, since: 2_000_000 });
});

test('drops belong to an epoch', () => {
  const keeper = new StatusKeeper('hall', 30, () => 0);
  keeper.picture(picture);
  keeper.drops({ analysis_slow: 3 });
  expect(keeper.status().drops).toEqual({ analysis_slow: 3 });
  keeper.picture({ ...picture, epoch: 6 });
  expect(keeper.status().drops).toEqual({});
});
