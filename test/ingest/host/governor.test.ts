import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { Simulator } from '../../../src/simulate/simulator.ts';
import { CameraSetRecorder, camera, until } from '../camera-set-recorder.ts';
import { movingClip } from '../clips.ts';

let simulator: Simulator;

function watch(
  context: TestContext,
  ...args: ConstructorParameters<typeof CameraSetRecorder>
): CameraSetRecorder {
  const watched = new CameraSetRecorder(...args);
  context.onTestFinished(() => watched.set.close());
  return watched;
}

beforeAll(async () => {
  const clip = fileURLToPath(movingClip('governor.mp4', { frames: 50, width: 160, height: 120 }));
  simulator = await Simulator.start({ sources: [clip], cameras: 2 });
});
afterAll(() => simulator?.stop());

// Concurrent: the tests mostly wait.
describe.concurrent('the governor', { timeout: 180_000 }, () => {
  test('sheds frames, evenly spaced, until an analysis of 120 ms keeps up with 25 fps', async (context) => {
    const watched = watch(context, {}, 'slow');
    await watched.set.add(camera('a', simulator.urls[0]!));
    await until(() => (watched.newest('a')?.analysisFps ?? 30) <= 25 / 3);
    const published = watched.statuses.map(({ analysisFps }) => analysisFps).filter((fps) => fps !== null);
    // Each step was published: 3/4, 1/2, 1/3 of 25.
    expect(published).toEqual(expect.arrayContaining([30, 18.8, 12.5, 8.3]));
    expect(watched.newest('a')!.detail).toContain('overloaded');
    expect(watched.newest('a')!.drops.overload).toBeGreaterThan(0);
    await watched.frames('a', 42);
    const frames = watched.framesOf('a').slice(-40);
    expect(new Set(frames.map(({ epoch }) => epoch)).size).toBe(1);
    // Shed frames are evenly spaced.
    const steps = frames.slice(1).map(({ frame }, index) => frame - frames[index]!.frame);
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(3);
  });

  test('sheds frames of all cameras alike under backpressure, and recovers afterwards', async (context) => {
    let backpressure = false;
    const watched = watch(context, {}, 'plain', () => backpressure);
    const light = { analysisFps: 8 };
    for (const [index, id] of ['a', 'b'].entries())
      await watched.set.add(camera(id, simulator.urls[index]!, light));
    await Promise.all([watched.frames('a', 5), watched.frames('b', 5)]);
    backpressure = true;
    await until(() => ['a', 'b'].every((id) => (watched.newest(id)?.analysisFps ?? 8) <= 4));
    backpressure = false;
    const levels = () => ['a', 'b'].map((id) => watched.newest(id)?.analysisFps ?? 0);
    expect(levels()[0]).toBe(levels()[1]);
    const lowest = Math.min(...levels());
    // On a busy machine it may take long until the load is low.
    await until(() => levels().every((fps) => fps > lowest));
  });

  test('refuses one camera too many, keeps the running one, and admits the refused one when that is removed', async (context) => {
    const watched = watch(context, { maxCameras: 1 });
    await watched.set.add(camera('a', simulator.urls[0]!));
    await watched.set.add(camera('b', simulator.urls[1]!));
    expect(watched.newest('b')).toMatchObject({
      state: 'REFUSED',
      previous: null,
      cause: 'CAMERA_TOO_MANY',
      detail: '1 cameras are running, the maximum by ingest.maxCameras',
    });
    await watched.frames('a', 5);
    expect(await watched.set.add(camera('a', simulator.urls[0]!, { analysisFps: 5 }))).toBe('changed');
    await watched.frames('a', 5);
    // REFUSED is repeated like every other state.
    await until(() => watched.statuses.filter(({ state }) => state === 'REFUSED').length > 2);
    expect(watched.framesOf('b')).toEqual([]);
    await watched.set.remove('a');
    await watched.frames('b', 5);
    expect(watched.newest('b')).toMatchObject({ state: 'LIVE', previous: 'CONNECTING' });
  });

  test('admits a refused camera once the running ones are measured to need less than assumed', async (context) => {
    // A camera is assumed to need a quarter of a core, and needs a few hundredths.
    const watched = watch(context, { cpuBudget: 0.2 / availableParallelism() });
    await watched.set.add(camera('a', simulator.urls[0]!, { analysisFps: 5 }));
    await watched.set.add(camera('b', simulator.urls[1]!, { analysisFps: 5 }));
    expect(watched.newest('b')!.detail).toMatch(/^1 running cameras need 0.3 cores .* one more about 0.3/);
    await watched.frames('b', 1);
  });
});
