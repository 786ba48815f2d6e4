import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { CameraSetRecorder, camera, until } from './camera-set-recorder.ts';
import { movingClip } from './clips.ts';

let simulator: Simulator;
let recorders: CameraSetRecorder[] = [];
const watch = (...args: ConstructorParameters<typeof CameraSetRecorder>) => {
  const recorder = new CameraSetRecorder(...args);
  recorders.push(recorder);
  return recorder;
};

beforeAll(async () => {
  const clip = fileURLToPath(movingClip('pause.mp4', { frames: 20, fps: 10, width: 160, height: 120 }));
  simulator = await Simulator.start({ sources: [clip], cameras: 2 });
});
afterEach(async () => {
  await Promise.all(recorders.map(({ set }) => set.close()));
  recorders = [];
});
afterAll(() => simulator?.stop());

/** Camera processes of this process. */
function cameraProcesses(): string[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('ingest/children/');
    } catch {
      return false;
    }
  });
}

/** Established TCP connections of this network namespace to the simulator's port. */
function connections(): number {
  const port = Number(new URL(simulator.urls[0]!).port).toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .filter((line) => new RegExp(`^ *\\d+: \\S+ \\S+:${port} 01 `).test(line)).length;
}

describe('a paused camera', () => {
  test('has no process and no connection, delivers nothing, and continues in a later epoch', async () => {
    // The pause is about as long as the default.
    const watched = watch({ gapSeconds: 0.2 });
    await watched.set.add(camera('a', simulator.urls[0]!));
    await watched.frames('a', 5);
    const before = cameraProcesses().length;
    expect(connections()).toBeGreaterThan(0);
    const epoch = watched.framesOf('a').at(-1)!.epoch;

    const pausing = watched.set.pause('a', 'a test');
    const delivered = watched.framesOf('a').length;
    expect(await pausing).toBe('paused');
    expect(cameraProcesses().length).toBe(before - 1);
    await until(() => connections() === 0);
    // From the call on no frame was delivered, although the process needed a while to end.
    expect(watched.framesOf('a').length).toBe(delivered);
    expect(watched.newest('a')).toMatchObject({
      state: 'PAUSED',
      cause: 'operator',
      detail: expect.stringMatching(/^paused by an operator through a test, after [\d.]+ s LIVE$/),
      fps: null,
    });
    expect(watched.discarded).toEqual([`a/${epoch}`]);
    expect(watched.ended).toEqual([]);
    expect(await watched.set.pause('a', 'a test')).toBe('unchanged');
    // The status is repeated while the camera is paused.
    const at = watched.newest('a')!.at;
    await until(() => watched.newest('a')!.at > at);
    expect(watched.newest('a')!.state).toBe('PAUSED');

    expect(await watched.set.resume('a')).toBe('resumed');
    await watched.frames('a', 3);
    expect(watched.framesOf('a').at(-1)!.epoch).toBeGreaterThan(epoch);
    const gap = () => watched.statuses.find(({ gap: found }) => found !== null)?.gap;
    await until(() => gap() !== undefined);
    expect(gap()).toMatchObject({ cause: 'paused' });
    expect(await watched.set.resume('a')).toBe('unchanged');
  });

  test('stays paused when its options change, and leaves its place to another camera', async () => {
    const watched = watch({ maxCameras: 1 });
    await watched.set.add(camera('a', simulator.urls[0]!));
    await watched.set.add(camera('b', simulator.urls[1]!));
    expect(watched.newest('b')!.state).toBe('REFUSED');
    await watched.set.pause('a', 'a test');
    await watched.frames('b', 3);
    expect(await watched.set.add(camera('a', simulator.urls[0]!, { analysisFps: 5 }))).toBe('changed');
    expect(watched.newest('a')).toMatchObject({ state: 'PAUSED', cause: 'operator' });
    await watched.set.resume('a');
    expect(watched.newest('a')!.state).toBe('REFUSED');
    await watched.set.pause('a', 'a test');
    expect(watched.newest('a')!.state).toBe('PAUSED');
    await watched.set.remove('a');
    expect(watched.newest('a')).toMatchObject({ state: 'STOPPED', cause: 'removed' });
  });

  test('is never connected if its options say so, and is connected when they no longer do', async () => {
    const watched = watch();
    await watched.set.add(camera('a', simulator.urls[0]!, { paused: true }));
    expect(watched.statuses.map(({ state }) => state)).toEqual(['PAUSED']);
    expect(watched.newest('a')!.detail).toBe('paused by an operator through its configuration');
    expect(cameraProcesses()).toEqual([]);
    await watched.set.add(camera('a', simulator.urls[0]!));
    await watched.frames('a', 3);
    // A change of `paused` alone does not reconnect the camera by way of STOPPED.
    expect(watched.statuses.map(({ state }) => state)).not.toContain('STOPPED');
    await watched.set.add(camera('a', simulator.urls[0]!, { paused: true }));
    expect(watched.newest('a')!.state).toBe('PAUSED');
  });

  test('may be paused and resumed while it starts and while it waits to reconnect', async () => {
    const watched = watch({ backoff: { firstSeconds: 30, maxSeconds: 30 } });
    const adding = watched.set.add(camera('a', simulator.urls[0]!));
    for (let i = 0; i < 10; i++) {
      void watched.set.pause('a', 'a test');
      void watched.set.resume('a');
    }
    await adding;
    await watched.frames('a', 3);
    await watched.set.add(camera('b', 'rtsp://127.0.0.1:9/none'));
    await until(() => watched.newest('b')!.state === 'RECONNECTING');
    await watched.set.pause('b', 'a test');
    expect(watched.newest('b')!.state).toBe('PAUSED');
    expect(await watched.set.pause('nobody', 'a test')).toBeNull();
    expect(await watched.set.resume('nobody')).toBeNull();
  });
});

describe('a schedule', () => {
  const hours = [{ days: ['wed'], from: '08:00', to: '18:00' }];
  const schedule = { timeZone: 'Europe/Berlin', hours };

  test('connects the camera only within its hours, whatever happens to the clock', async () => {
    let now = Date.parse('2026-12-02T06:59:00Z');
    const watched = watch({}, 'plain', undefined, () => now);
    await watched.set.add(camera('a', simulator.urls[0]!, { schedule }));
    expect(watched.statuses.map(({ state }) => state)).toEqual(['PAUSED']);
    expect(watched.newest('a')).toMatchObject({
      cause: 'schedule',
      detail: 'paused by its schedule until Wed 08:00 Europe/Berlin',
    });
    expect(cameraProcesses()).toEqual([]);

    now = Date.parse('2026-12-02T07:00:00Z');
    await watched.frames('a', 3);
    now = Date.parse('2026-12-02T17:00:00Z');
    await until(() => watched.newest('a')!.state === 'PAUSED');
    expect(watched.newest('a')!.detail).toContain('until Wed 08:00 Europe/Berlin');
    expect(cameraProcesses()).toEqual([]);
    // The clock is set back.
    now = Date.parse('2026-12-02T12:00:00Z');
    await watched.frames('a', 3);
  });

  test('does not end the pause of an operator, nor an operator that of the schedule', async () => {
    let now = Date.parse('2026-12-02T12:00:00Z');
    const watched = watch({}, 'plain', undefined, () => now);
    await watched.set.add(camera('a', simulator.urls[0]!, { schedule }));
    await watched.frames('a', 3);
    await watched.set.pause('a', 'a test');
    now = Date.parse('2026-12-02T20:00:00Z');
    expect(await watched.set.resume('a')).toBe('scheduled');
    expect(watched.newest('a')).toMatchObject({ state: 'PAUSED', cause: 'schedule' });
    await watched.set.pause('a', 'a test');
    expect(watched.newest('a')).toMatchObject({ state: 'PAUSED', cause: 'operator' });
    now = Date.parse('2026-12-09T12:00:00Z');
    watched.set.followSchedules();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(watched.newest('a')!.state).toBe('PAUSED');
    expect(await watched.set.resume('a')).toBe('resumed');
    await watched.frames('a', 3);
  });
});
