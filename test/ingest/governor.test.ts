import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { movingClip } from './clips.ts';
import { camera, until, Watched } from './watched-set.ts';

let simulator: Simulator;
const sets: Watched[] = [];
const watch = (...args: ConstructorParameters<typeof Watched>) => {
  const watched = new Watched(...args);
  sets.push(watched);
  return watched;
};

beforeAll(async () => {
  const clip = fileURLToPath(movingClip('governor.mp4', { frames: 50, width: 160, height: 120 }));
  simulator = await Simulator.start({ sources: [clip], cameras: 2 });
});
afterEach(async () => {
  await Promise.all(sets.splice(0).map(({ set }) => set.close()));
});
afterAll(() => simulator?.stop());

test('an analysis that takes 120 ms gets as many of 25 frames a second as it bears, and no more are lost to it', async () => {
  const watched = watch({}, 'slow');
  await watched.set.add(camera('a', simulator.urls[0]!));
  await until(() => (watched.newest('a')?.analysisFps ?? 30) <= 25 / 3);
  const told = watched.statuses.map(({ analysisFps }) => analysisFps).filter((fps) => fps !== null);
  // Each step was told: 3/4, 1/2, 1/3 of 25.
  expect(told.filter((fps, index) => fps !== told[index - 1]).slice(0, 4)).toEqual([30, 18.8, 12.5, 8.3]);
  expect(watched.newest('a')!.detail).toContain('overloaded');
  const { drops } = watched.newest('a')!;
  expect(drops.overload).toBeGreaterThan(0);
  await watched.frames('a', 40);
  const since = watched.newest('a')!.drops;
  // What is shed is spread evenly instead of lost in bursts; a busy machine may still lose a few.
  expect(since.overload! - drops.overload!).toBeGreaterThan(
    4 * ((since.analysis_slow ?? 0) - (drops.analysis_slow ?? 0)),
  );
  const frames = watched.of('a').slice(-40);
  expect(new Set(frames.map(({ epoch }) => epoch)).size).toBe(1);
});

test('while what comes after them is behind, all cameras step down alike, and up again afterwards', async () => {
  let behind = false;
  const watched = watch({}, 'plain', () => behind);
  const light = { analysisFps: 8 };
  for (const [index, id] of ['a', 'b'].entries())
    await watched.set.add(camera(id, simulator.urls[index]!, light));
  await Promise.all([watched.frames('a', 5), watched.frames('b', 5)]);
  behind = true;
  await until(() => ['a', 'b'].every((id) => (watched.newest(id)?.analysisFps ?? 8) <= 4));
  behind = false;
  const levels = () => ['a', 'b'].map((id) => watched.newest(id)?.analysisFps ?? 0);
  const lowest = Math.min(...levels());
  // On a machine that is short of time itself it may take long to become calm.
  await until(() => levels().every((fps) => fps > lowest));
});

test('a camera too many is refused with the figures, the running one goes on, and its place is given away when it goes', async () => {
  const watched = watch({ maxCameras: 1 });
  await watched.set.add(camera('a', simulator.urls[0]!));
  await watched.set.add(camera('b', simulator.urls[1]!));
  expect(watched.newest('b')).toMatchObject({
    state: 'REFUSED',
    previous: null,
    cause: 'CAMERA_TOO_MANY',
    detail: '1 cameras run already, as many as ingest.maxCameras allows',
  });
  await watched.frames('a', 5);
  expect(await watched.set.add(camera('a', simulator.urls[0]!, { analysisFps: 5 }))).toBe('changed');
  await watched.frames('a', 5);
  // Its state is repeated like any other.
  await until(() => watched.statuses.filter(({ state }) => state === 'REFUSED').length > 2);
  expect(watched.of('b')).toEqual([]);
  await watched.set.remove('a');
  await watched.frames('b', 5);
  expect(watched.newest('b')).toMatchObject({ state: 'LIVE', previous: 'CONNECTING' });
});

test('what is taken for too much at first is let in once the running ones are measured to need less', async () => {
  // One camera is taken to need a quarter of a core, and needs a few hundredths.
  const watched = watch({ cpuBudget: 0.2 / availableParallelism() });
  await watched.set.add(camera('a', simulator.urls[0]!, { analysisFps: 5 }));
  await watched.set.add(camera('b', simulator.urls[1]!, { analysisFps: 5 }));
  expect(watched.newest('b')!.detail).toMatch(/^1 running cameras need 0.3 cores .* one more about 0.3/);
  await watched.frames('b', 1);
});
