import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DashboardHub } from '../../src/dashboard/store.ts';
import { faceCrop, frameOf } from '../infer/faces.ts';
import { generatedFrame, generatedStatus } from './generated.ts';

const AUS = 12;

function hubWith(faces: number, frames: number) {
  const hub = new DashboardHub({ showVideo: false });
  const began = Date.now() * 1_000 - frames * 40_000;
  for (let trackId = 1; trackId <= faces; trackId++)
    for (let frame = 0; frame < frames; frame++)
      hub.frames([generatedFrame({ cameraId: 'cam', trackId, frame, receivedAt: began + frame * 40_000 })]);
  return { hub, began };
}

describe('a reader', () => {
  test('gets what is new once, in order, and the cameras that changed', () => {
    const { hub, began } = hubWith(1, 10);
    hub.status(generatedStatus('cam', 'LIVE'));
    const reader = hub.reader();
    const first = reader.next()!;
    expect(first.cameras.map(({ id, state }) => [id, state])).toEqual([['cam', 'LIVE']]);
    expect(first.faces[0]!.times).toEqual(
      Array.from({ length: 10 }, (_, frame) => Math.round(began / 1_000 + frame * 40)),
    );
    expect(first.faces[0]!.raw).toHaveLength(10 * AUS);
    expect(reader.next()).toBeNull();

    const next = generatedFrame({ cameraId: 'cam', trackId: 1, frame: 10, receivedAt: began + 400_000 });
    hub.frames([next]);
    const second = reader.next()!;
    expect(second.faces[0]!.times).toHaveLength(1);
    const scores = Object.values(next.aus).map((au) => Math.round(au!.p * 1_000));
    expect(second.faces[0]!.smoothed).toEqual(scores);
    expect(second.faces[0]!.active[0]).toBe(
      scores.reduce((bits, score, au) => bits | (score >= 500 ? 1 << au : 0), 0),
    );
  });

  test('that fell behind gets the newest state in a message of bounded size', () => {
    const { hub, began } = hubWith(40, 20);
    const reader = hub.reader();
    reader.next();
    for (let trackId = 1; trackId <= 40; trackId++)
      for (let frame = 20; frame < 1_020; frame++)
        hub.frames([generatedFrame({ cameraId: 'cam', trackId, frame, receivedAt: began + frame * 40_000 })]);
    const late = reader.next()!;
    const samples = late.faces.reduce((sum, face) => sum + face.times.length, 0);
    expect(samples).toBeLessThanOrEqual(4_000 + 40);
    for (const face of late.faces) {
      expect(face.times.at(-1)).toBe(Math.round((began + 1_019 * 40_000) / 1_000));
      expect(face.times).toEqual([...face.times].sort((a, b) => a - b));
    }
  });

  test('sees an unreliable face as one without scores', () => {
    const hub = new DashboardHub({ showVideo: false });
    hub.frames([
      generatedFrame({ cameraId: 'cam', trackId: 1, frame: 1, receivedAt: 1e15, unreliable: true }),
    ]);
    const [face] = hub.reader().next()!.faces;
    expect(face!.unreliable).toBe('too_turned');
    expect(face!.smoothed).toEqual(Array(AUS).fill(-1));
  });
});

test('forgets faces beyond 128 and those of more than five minutes ago', () => {
  const hub = new DashboardHub({ showVideo: false });
  for (let trackId = 1; trackId <= 200; trackId++)
    hub.frames([generatedFrame({ cameraId: 'cam', trackId, frame: 1, receivedAt: 1e15 + trackId })]);
  expect(
    hub
      .reader()
      .next()!
      .faces.map(({ trackId }) => trackId),
  ).toEqual(Array.from({ length: 128 }, (_, index) => 73 + index));
  hub.frames([generatedFrame({ cameraId: 'cam', trackId: 201, frame: 1, receivedAt: 1e15 + 301e6 })]);
  expect(hub.reader().next()!.faces).toHaveLength(1);
});

test('a camera’s states and gaps become its timeline', () => {
  const hub = new DashboardHub({ showVideo: false });
  const t0 = 1.7e15;
  const gap = { from: 5e6, to: 13e6, cause: 'CAMERA_STALLED', framesLost: null };
  hub.status(generatedStatus('cam', 'LIVE', { at: t0 }));
  hub.status(generatedStatus('cam', 'LIVE', { at: t0 + 10e6 }));
  hub.status(generatedStatus('cam', 'STALLED', { at: t0 + 20e6 }));
  hub.status(generatedStatus('cam', 'LIVE', { at: t0 + 28e6, gap }));
  const [view] = hub.reader().next()!.cameras;
  expect(view!.states).toEqual([
    { from: t0 / 1e3, state: 'LIVE' },
    { from: t0 / 1e3 + 20_000, state: 'STALLED' },
    { from: t0 / 1e3 + 28_000, state: 'LIVE' },
  ]);
  expect(view!.gaps).toEqual([{ from: t0 / 1e3 + 20_000, to: t0 / 1e3 + 28_000, cause: 'CAMERA_STALLED' }]);
});

describe('a lag', () => {
  const NOW = 1.7e12;
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }));
  afterEach(() => void vi.useRealTimers());

  /** What a page that comes now is told, `seconds` after the last score. */
  function lagAfter(seconds: number) {
    const hub = new DashboardHub({ showVideo: false });
    hub.status(generatedStatus('cam', 'LIVE'));
    for (let second = -9; second <= 0; second++) {
      const receivedAt = (NOW + second * 1_000) * 1_000;
      hub.frames([generatedFrame({ cameraId: 'cam', trackId: 1, frame: second + 9, receivedAt })]);
    }
    vi.setSystemTime(NOW + seconds * 1_000);
    hub.status(generatedStatus('cam', 'LIVE'));
    return hub.reader().next()!.cameras[0]!.lag;
  }

  test('of a moment ago still counts', () => {
    expect(lagAfter(5)).toEqual(Array(10).fill(400));
  });

  test('is told of no second in which nobody was in sight', () => {
    expect(lagAfter(30)).toEqual([...Array(10).fill(400), ...Array(29).fill(null)]);
    expect(lagAfter(55)).toEqual([...Array(6).fill(400), ...Array(54).fill(null)]);
    expect(lagAfter(3_600)).toEqual(Array(60).fill(null));
  });
});

describe('a picture', () => {
  const hubWithPicture = () => {
    const hub = new DashboardHub({ showVideo: true });
    for (const cameraId of ['cam', 'door']) {
      hub.status(generatedStatus(cameraId, 'LIVE'));
      hub.pictures(frameOf([faceCrop({ cameraId, frame: 1, epoch: 1 })]));
    }
    expect(hub.picture('cam/1/1')).toBeDefined();
    return hub;
  };

  test('goes with its epoch: a frame without faces of the next one is enough', () => {
    const hub = hubWithPicture();
    hub.pictures({ ...frameOf([faceCrop({ frame: 2, epoch: 1 })]), crops: [] });
    expect(hub.picture('cam/1/1')).toBeDefined();
    hub.pictures({ ...frameOf([faceCrop({ frame: 1, epoch: 10 })]), crops: [] });
    expect(hub.picture('cam/1/1')).toBeUndefined();
    expect(hub.picture('door/1/1')).toBeDefined();
  });

  test.each([
    ['STALLED', 'CAMERA_STALLED'],
    ['RECONNECTING', 'CAMERA_UNREACHABLE'],
    ['STOPPED', 'stopped'],
    ['STOPPED', 'removed'],
  ] as const)('goes when its camera is %s (%s), and none comes late', (state, cause) => {
    const hub = hubWithPicture();
    hub.status(generatedStatus('cam', state, { cause }));
    expect(hub.picture('cam/1/1')).toBeUndefined();
    hub.pictures(frameOf([faceCrop({ frame: 2, epoch: 1 })]));
    expect(hub.picture('cam/1/1')).toBeUndefined();
    expect(hub.picture('door/1/1')).toBeDefined();
  });
});
