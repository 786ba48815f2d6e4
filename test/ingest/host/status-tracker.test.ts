import { expect, test } from 'vitest';
import type { FrameStamp } from '../../../src/domain/frame.ts';
import { StatusTracker } from '../../../src/ingest/host/status-tracker.ts';

const video = { epoch: 5, width: 640, height: 360, codec: 'h264' };
const stamp = { receivedAt: 0, interval: 40_000 } as FrameStamp;

test('a status holds the state, its cause, the previous state and its duration', () => {
  let now = 1_000_000;
  const tracker = new StatusTracker('hall', 30, { wallMs: () => now, monotonicMs: () => now });
  expect(tracker.setState('CONNECTING', 'started', 'connecting')).toBe(true);
  now += 1_500;
  tracker.beginEpoch(video);
  expect(tracker.setState('LIVE', 'first_frame', '640×360 h264')).toBe(true);
  expect(tracker.status()).toMatchObject({
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
  tracker.countRestart();
  expect(tracker.setState('RECONNECTING', 'CAMERA_UNREACHABLE', 'gone')).toBe(true);
  expect(tracker.setState('RECONNECTING', 'CAMERA_UNREACHABLE', 'still gone')).toBe(false);
  expect(tracker.setState('RECONNECTING', 'CAMERA_NOT_FOUND', 'other')).toBe(true);
  expect(tracker.status()).toMatchObject({ previous: 'LIVE', restarts: 1, detail: 'other' });
});

test('the rate is that of the last interval; a camera that is not LIVE has none', () => {
  let now = 0;
  const tracker = new StatusTracker('hall', 30, { wallMs: () => now, monotonicMs: () => now });
  tracker.setState('LIVE', 'first_frame', '');
  for (let frame = 0; frame < 50; frame++) {
    now += 40;
    tracker.recordFrame(stamp, 12);
  }
  tracker.measureRate();
  tracker.setClock({ clockErrorMs: -7, driftPpm: 12.5 });
  expect(tracker.status()).toMatchObject({
    fps: 25,
    analysisFps: 30,
    lagMs: 12,
    clockErrorMs: -7,
    driftPpm: 12.5,
    since: 0,
  });
  expect([tracker.setShare(1), tracker.setShare(0.5), tracker.setShare(0.5)]).toEqual([false, true, false]);
  expect(tracker.status()).toMatchObject({
    state: 'LIVE',
    analysisFps: 12.5,
    detail: expect.stringContaining('overloaded'),
  });
  tracker.setState('STALLED', 'CAMERA_STALLED', '');
  const unknown = { fps: null, analysisFps: null, lagMs: null, clockErrorMs: null, driftPpm: null };
  expect(tracker.status()).toMatchObject({ ...unknown, since: 2_000_000 });
});

test('drops belong to an epoch', () => {
  const tracker = new StatusTracker('hall', 30, { wallMs: () => 0, monotonicMs: () => 0 });
  tracker.beginEpoch(video);
  tracker.setDrops({ analysis_slow: 3 });
  expect(tracker.status().drops).toEqual({ analysis_slow: 3 });
  tracker.beginEpoch({ ...video, epoch: 6 });
  expect(tracker.status().drops).toEqual({});
});
