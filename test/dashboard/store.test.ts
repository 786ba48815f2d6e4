import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DashboardStore } from '../../src/dashboard/store.ts';
import { faceCrop, frameOf } from '../infer/faces.ts';
import { generatedFrame, generatedStatus } from './generated.ts';

const AUS = 12;

function storeWith(faces: number, frames: number) {
  const store = new DashboardStore({ showVideo: false });
  const start = Date.now() * 1_000 - frames * 40_000;
  for (let trackId = 1; trackId <= faces; trackId++)
    for (let frame = 0; frame < frames; frame++)
      store.addFrames([
        generatedFrame({ cameraId: 'cam', trackId, frame, receivedAt: start + frame * 40_000 }),
      ]);
  return { store, start };
}

describe('a cursor', () => {
  test('returns each new sample once, in order, and the cameras that changed', () => {
    const { store, start } = storeWith(1, 10);
    store.updateCamera(generatedStatus('cam', 'LIVE'));
    const cursor = store.openCursor();
    const first = cursor.next()!;
    expect(first.cameras.map(({ id, state }) => [id, state])).toEqual([['cam', 'LIVE']]);
    expect(first.faces[0]!.times).toEqual(
      Array.from({ length: 10 }, (_, frame) => Math.round(start / 1_000 + frame * 40)),
    );
    expect(first.faces[0]!.raw).toHaveLength(10 * AUS);
    expect(cursor.next()).toBeNull();

    const next = generatedFrame({ cameraId: 'cam', trackId: 1, frame: 10, receivedAt: start + 400_000 });
    store.addFrames([next]);
    const second = cursor.next()!;
    expect(second.faces[0]!.times).toHaveLength(1);
    const scores = Object.values(next.aus).map((au) => Math.round(au!.p * 1_000));
    expect(second.faces[0]!.smoothed).toEqual(scores);
    expect(second.faces[0]!.active[0]).toBe(
      scores.reduce((bits, score, au) => bits | (score >= 500 ? 1 << au : 0), 0),
    );
  });

  test('that fell behind returns the newest state in a message of bounded size', () => {
    const { store, start } = storeWith(40, 20);
    const cursor = store.openCursor();
    cursor.next();
    for (let trackId = 1; trackId <= 40; trackId++)
      for (let frame = 20; frame < 1_020; frame++)
        store.addFrames([
          generatedFrame({ cameraId: 'cam', trackId, frame, receivedAt: start + frame * 40_000 }),
        ]);
    const late = cursor.next()!;
    const samples = late.faces.reduce((sum, face) => sum + face.times.length, 0);
    expect(samples).toBeLessThanOrEqual(4_000 + 40);
    for (const face of late.faces) {
      expect(face.times.at(-1)).toBe(Math.round((start + 1_019 * 40_000) / 1_000));
      expect(face.times).toEqual([...face.times].sort((a, b) => a - b));
    }
  });

  test('returns an unreliable face without scores', () => {
    const store = new DashboardStore({ showVideo: false });
    store.addFrames([
      generatedFrame({ cameraId: 'cam', trackId: 1, frame: 1, receivedAt: 1e15, unreliable: true }),
    ]);
    const [face] = store.openCursor().next()!.faces;
    expect(face!.unreliable).toBe('too_turned');
    expect(face!.smoothed).toEqual(Array(AUS).fill(-1));
  });
});

test('evicts faces beyond 128 and faces older than five minutes', () => {
  const store = new DashboardStore({ showVideo: false });
  for (let trackId = 1; trackId <= 200; trackId++)
    store.addFrames([generatedFrame({ cameraId: 'cam', trackId, frame: 1, receivedAt: 1e15 + trackId })]);
  expect(
    store
      .openCursor()
      .next()!
      .faces.map(({ trackId }) => trackId),
  ).toEqual(Array.from({ length: 128 }, (_, index) => 73 + index));
  store.addFrames([generatedFrame({ cameraId: 'cam', trackId: 201, frame: 1, receivedAt: 1e15 + 301e6 })]);
  expect(store.openCursor().next()!.faces).toHaveLength(1);
});

test('a camera’s timeline holds its states and gaps', () => {
  const store = new DashboardStore({ showVideo: false });
  const t0 = 1.7e15;
  const gap = { from: 5e6, to: 13e6, cause: 'CAMERA_STALLED', framesLost: null };
  store.updateCamera(generatedStatus('cam', 'LIVE', { at: t0 }));
  store.updateCamera(generatedStatus('cam', 'LIVE', { at: t0 + 10e6 }));
  store.updateCamera(generatedStatus('cam', 'STALLED', { at: t0 + 20e6 }));
  store.updateCamera(generatedStatus('cam', 'LIVE', { at: t0 + 28e6, gap }));
  const [view] = store.openCursor().next()!.cameras;
  expect(view!.states).toEqual([
    { from: t0 / 1e3, state: 'LIVE' },
    { from: t0 / 1e3 + 20_000, state: 'STALLED' },
    { from: t0 / 1e3 + 28_000, state: 'LIVE' },
  ]);
  expect(view!.gaps).toEqual([{ from: t0 / 1e3 + 20_000, to: t0 / 1e3 + 28_000, cause: 'CAMERA_STALLED' }]);
});

test('after a step of the clock what is kept has its age', () => {
  const { store, start } = storeWith(1, 10);
  store.updateCamera(generatedStatus('cam', 'LIVE', { at: start }));
  store.clockStepped(-3_600_000);
  const { faces, cameras } = store.openCursor().next()!;
  expect(faces[0]!.times[0]).toBe(Math.round(start / 1_000) - 3_600_000);
  expect(cameras[0]!.states[0]!.from).toBe(start / 1_000 - 3_600_000);
});

describe('the lag', () => {
  const NOW = 1.7e12;
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'performance'], now: NOW }));
  afterEach(() => void vi.useRealTimers());

  /** The lag that a new page receives `seconds` after the last score. */
  function lagAfter(seconds: number) {
    const store = new DashboardStore({ showVideo: false });
    store.updateCamera(generatedStatus('cam', 'LIVE'));
    for (let second = -9; second <= 0; second++) {
      const receivedAt = (Date.now() + second * 1_000) * 1_000;
      store.addFrames([generatedFrame({ cameraId: 'cam', trackId: 1, frame: second + 9, receivedAt })]);
    }
    vi.advanceTimersByTime(seconds * 1_000);
    store.updateCamera(generatedStatus('cam', 'LIVE'));
    return store.openCursor().next()!.cameras[0]!.lag;
  }

  test('keeps its last value for a few seconds', () => {
    expect(lagAfter(5)).toEqual(Array(10).fill(400));
  });

  test('is null for seconds without a face in sight', () => {
    expect(lagAfter(30)).toEqual([...Array(10).fill(400), ...Array(29).fill(null)]);
    expect(lagAfter(55)).toEqual([...Array(6).fill(400), ...Array(54).fill(null)]);
    expect(lagAfter(3_600)).toEqual(Array(60).fill(null));
  });
});

describe('a crop', () => {
  const storeWithCrop = () => {
    const store = new DashboardStore({ showVideo: true });
    for (const cameraId of ['cam', 'door']) {
      store.updateCamera(generatedStatus(cameraId, 'LIVE'));
      store.addCrops(frameOf([faceCrop({ cameraId, frame: 1, epoch: 1 })]));
    }
    expect(store.crop('cam/1/1')).toBeDefined();
    return store;
  };

  test('is deleted with its epoch, even if the next epoch’s first frame has no faces', () => {
    const store = storeWithCrop();
    store.addCrops({ ...frameOf([faceCrop({ frame: 2, epoch: 1 })]), crops: [] });
    expect(store.crop('cam/1/1')).toBeDefined();
    store.addCrops({ ...frameOf([faceCrop({ frame: 1, epoch: 10 })]), crops: [] });
    expect(store.crop('cam/1/1')).toBeUndefined();
    expect(store.crop('door/1/1')).toBeDefined();
  });

  test.each([
    ['STALLED', 'CAMERA_STALLED'],
    ['RECONNECTING', 'CAMERA_UNREACHABLE'],
    ['STOPPED', 'stopped'],
    ['STOPPED', 'removed'],
  ] as const)('is deleted when its camera is %s (%s), and later crops are ignored', (state, cause) => {
    const store = storeWithCrop();
    store.updateCamera(generatedStatus('cam', state, { cause }));
    expect(store.crop('cam/1/1')).toBeUndefined();
    store.addCrops(frameOf([faceCrop({ frame: 2, epoch: 1 })]));
    expect(store.crop('cam/1/1')).toBeUndefined();
    expect(store.crop('door/1/1')).toBeDefined();
  });
});
