import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { applyCameras, type CameraSet } from '../../../src/ingest/host/camera-set.ts';
import { Simulator } from '../../../src/simulate/simulator.ts';
import { CameraSetRecorder, camera, until } from '../camera-set-recorder.ts';
import { movingClip } from '../clips.ts';

const sets: CameraSet[] = [];
const watch = (...args: ConstructorParameters<typeof CameraSetRecorder>) => {
  const watched = new CameraSetRecorder(...args);
  sets.push(watched.set);
  return watched;
};
afterEach(async () => {
  await Promise.all(sets.splice(0).map((set) => set.close()));
});

describe('with live cameras', () => {
  let simulator: Simulator;
  beforeAll(async () => {
    const clip = fileURLToPath(movingClip('set.mp4', { frames: 20, fps: 5, width: 160, height: 120 }));
    simulator = await Simulator.start({ sources: [clip], cameras: 22 });
  });
  afterAll(() => simulator?.stop());

  test('twenty cameras are added and removed without a lost frame or epoch of the two that stay', async () => {
    const watched = watch({ maxCameras: 22 });
    const permanent = ['a', 'b'].map((id, index) => camera(id, simulator.urls[index]!));
    const temporary = simulator.urls.slice(2).map((url, index) => camera(`guest${index}`, url));
    await applyCameras(watched.set, [], permanent);
    await Promise.all(permanent.map(({ id }) => watched.frames(id, 5)));
    const from = permanent.map(({ id }) => watched.framesOf(id).length);

    const added = await applyCameras(watched.set, permanent, [...permanent, ...temporary]);
    expect(added).toEqual(Object.fromEntries(temporary.map(({ id }) => [id, 'added'])));
    await until(() => temporary.every(({ id }) => watched.framesOf(id).length > 0));
    const removed = await applyCameras(watched.set, [...permanent, ...temporary], permanent);
    expect(removed).toEqual(Object.fromEntries(temporary.map(({ id }) => [id, 'removed'])));
    await Promise.all(permanent.map(({ id }) => watched.frames(id, 5)));

    expect(watched.set.list().map(({ id }) => id)).toEqual(['a', 'b']);
    for (const { id } of temporary)
      expect(watched.newest(id)).toMatchObject({ state: 'STOPPED', cause: 'removed' });
    for (const [index, { id }] of permanent.entries()) {
      const all = watched.framesOf(id);
      expect(new Set(all.map(({ epoch }) => epoch)).size).toBe(1);
      // Every missing frame was counted as a drop.
      const seen = all.slice(from[index]);
      const missing = seen.at(-1)!.frame - seen[0]!.frame + 1 - seen.length;
      await until(() => watched.newest(id)!.at > seen.at(-1)!.receivedAt + 1_000_000);
      const counted = Object.values(watched.newest(id)!.drops).reduce((sum, drops) => sum + drops, 0);
      expect(missing).toBeLessThanOrEqual(counted);
      // The camera was never reconnected.
      expect(watched.newest(id)).toMatchObject({ state: 'LIVE', restarts: 0 });
      expect(watched.ended.filter((epoch) => epoch.startsWith(`${id}/`))).toEqual([]);
    }
  });

  test('a changed camera restarts in a later epoch, and the other one keeps running', async () => {
    const watched = watch();
    const [a, b] = ['a', 'b'].map((id, index) => camera(id, simulator.urls[index]!));
    await applyCameras(watched.set, [], [a!, b!]);
    await Promise.all([watched.frames('a', 2), watched.frames('b', 2)]);
    const [before] = watched.framesOf('a');
    const slower = camera('a', simulator.urls[0]!, { analysisFps: 2 });
    expect(await applyCameras(watched.set, [a!, b!], [slower, b!])).toEqual({ a: 'changed' });
    await watched.frames('a', 2);
    const after = watched.framesOf('a').at(-1)!;
    expect(after.epoch).toBeGreaterThan(before!.epoch);
    expect([before!.interval, after.interval]).toEqual([200_000, 500_000]);
    expect(watched.ended).toEqual([`a/${before!.epoch}`]);
    expect(
      watched.statuses.filter(({ cameraId }) => cameraId === 'b').map(({ state }) => state),
    ).not.toContain('STOPPED');
  });

  test('changes of one camera run one after the other', async () => {
    const watched = watch();
    const variants = [3, 4, 5].map((analysisFps) => camera('a', simulator.urls[0]!, { analysisFps }));
    const done = await Promise.all([
      ...variants.map((variant) => watched.set.add(variant)),
      watched.set.remove('a'),
      watched.set.add(variants[1]!),
    ]);
    expect(done).toEqual(['added', 'changed', 'changed', true, 'added']);
    expect(watched.set.list().map(({ analysisFps }) => analysisFps)).toEqual([4]);
    await watched.frames('a', 1);
  });
});

describe('with files', () => {
  test('the set is played when every file is, and a file that is added again gets the next epoch', async () => {
    const watched = watch();
    const url = movingClip('short.mp4', { frames: 5 });
    await applyCameras(watched.set, [], [camera('a', url)]);
    await watched.set.played;
    await watched.set.remove('a');
    await watched.set.add(camera('a', url));
    await watched.frames('a', 5);
    expect(watched.framesOf('a').map(({ epoch }) => epoch)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
  });

  test('a file that cannot be played rejects `played` where there are only files', async () => {
    const watched = watch();
    await watched.set.add(camera('a', 'file:///nowhere.mp4'));
    await expect(watched.set.played).rejects.toMatchObject({ code: 'CAMERA_NOT_FOUND' });
  });
});

test('a config change leaves unchanged cameras and those added by other means alone', async () => {
  const watched = watch();
  const unreachable = (id: string, more: object = {}) => camera(id, 'rtsp://127.0.0.1:9/', more);
  const config = [unreachable('a'), unreachable('b')];
  await applyCameras(watched.set, [], config);
  await watched.set.add(unreachable('guest'));
  await watched.set.remove('b');
  expect(
    await applyCameras(watched.set, config, [unreachable('a', { transport: 'udp' }), config[1]!]),
  ).toEqual({ a: 'changed' });
  expect(
    watched.set
      .list()
      .map(({ id }) => id)
      .sort(),
  ).toEqual(['a', 'guest']);
});
