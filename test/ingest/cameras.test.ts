import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { movingClip } from './clips.ts';
import { Recorder } from './recorder.ts';

const CANARY = 'c4n@ry/geheim';
let clip: string;
let simulator: Simulator;
let secured: Simulator;
let basic: Simulator;
const cameras: Recorder[] = [];

function watch(...args: ConstructorParameters<typeof Recorder>): Recorder {
  const camera = new Recorder(...args);
  cameras.push(camera);
  return camera;
}

beforeAll(async () => {
  clip = movingClip('camera.mp4', { frames: 50 });
  const sources = [fileURLToPath(clip)];
  [simulator, secured, basic] = await Promise.all([
    Simulator.start({ sources, cameras: 2, unusable: ['audio', 'unknown'] }),
    Simulator.start({ sources, user: 'viewer', password: CANARY }),
    Simulator.start({ sources, user: 'viewer', password: CANARY, auth: 'basic' }),
  ]);
});

afterEach(async () => {
  await Promise.all(cameras.splice(0).map(({ supervisor }) => supervisor.stop()));
});

afterAll(async () => {
  await Promise.all([simulator, secured, basic].map((server) => server?.stop()));
});

describe('a camera', () => {
  test('delivers frames with strictly increasing capture times at the frame interval, across the loop of the clip', async () => {
    const camera = watch({ url: simulator.urls[0]! });
    await camera.until('clock of the camera', () => camera.faces.at(-1)?.clockSource === 'rtcp');
    await camera.frames(60);
    const epoch = camera.faces.filter((faces) => faces.epoch === camera.epochs.at(-1));
    for (const [index, faces] of epoch.slice(1).entries()) {
      const before = epoch[index]!;
      expect(faces.captureTime).toBeGreaterThan(before.captureTime);
      // The clock's offset is measured five times a second and may vary by a millisecond.
      const interval = (faces.captureTime - before.captureTime) / (faces.frame - before.frame);
      expect(Math.abs(interval - 40_000)).toBeLessThan(1_000);
    }
    expect(camera.statuses.at(-1)).toMatchObject({ state: 'LIVE', codec: 'h264', width: 320, height: 240 });
  });

  test('has the capture time of its own clock, by RTCP sender reports', async () => {
    const original = watch({ url: clip });
    await original.supervisor.done;
    const camera = watch({ url: simulator.urls[0]! }, { statusSeconds: 1 });
    await camera.until('clock of the camera', () => camera.faces.at(-1)?.clockSource === 'rtcp');
    await camera.frames(5);
    const start = simulator.started.findLast(({ path }) => path === '/cam1')!.startUnixMicros;
    // The camera shows frame n of its clip n × 40 ms after its start, and again every 2 s.
    for (const [index, { captureTime }] of camera.faces.slice(-5).entries()) {
      const clipFrame = original.checksums.indexOf(camera.checksums.at(index - 5)!);
      expect(clipFrame).toBeGreaterThanOrEqual(0);
      const loops = (captureTime - start - clipFrame * 40_000) / 2_000_000;
      expect(Math.abs(loops - Math.round(loops)) * 2_000).toBeLessThan(8);
    }
    // Camera and host share one clock: the error is the network delay.
    const { clockErrorMs } = camera.faces.at(-1)!;
    expect(Math.abs(clockErrorMs!)).toBeLessThan(500);
    await camera.until('a status', () => camera.statuses.at(-1)!.clockErrorMs !== null);
    const [arrival, rtcp] = camera.epochs.map((epoch) =>
      camera.faces.filter((faces) => faces.epoch === epoch),
    );
    expect(new Set(arrival!.map(({ clockSource }) => clockSource))).toEqual(new Set(['arrival']));
    expect(new Set(arrival!.map((faces) => faces.clockErrorMs))).toEqual(new Set([null]));
    expect(new Set(rtcp!.map(({ clockSource }) => clockSource))).toEqual(new Set(['rtcp']));
    expect(camera.endedEpochs).toEqual([camera.epochs[0]]);
  });

  test.each([
    ['tcp', 'h265'],
    ['udp', 'h264'],
    ['udp', 'mjpeg'],
  ] as const)('works over %s with %s', async (transport, codec) => {
    const source = fileURLToPath(movingClip('other.mp4', { frames: 25 }));
    await using other = await disposable(Simulator.start({ sources: [source], codec }));
    const camera = watch({ url: other.urls[0]!, transport });
    await camera.frames(20);
    expect(camera.statuses.at(-1)).toMatchObject({ codec, width: 320, height: 240 });
  });
});

async function disposable(starting: Promise<Simulator>): Promise<Simulator & AsyncDisposable> {
  const started = await starting;
  return Object.assign(started, { [Symbol.asyncDispose]: () => started.stop() });
}

describe('a camera that cannot be used reports the cause and is retried', () => {
  test.each([
    ['with an unknown path', () => simulator.urls[0]!.replace('cam1', 'cam9'), 'CAMERA_NOT_FOUND'],
    ['at a closed port', () => 'rtsp://127.0.0.1:9/cam1', 'CAMERA_UNREACHABLE'],
    ['on a missing device', () => 'v4l2:///dev/video99', 'CAMERA_UNREACHABLE'],
    ['without video', () => simulator.urls[2]!, 'CAMERA_NO_VIDEO'],
    ['with an unknown codec', () => simulator.urls[3]!, 'CAMERA_CODEC_MISSING'],
  ])('%s', async (_, url, code) => {
    const camera = watch({ url: url() });
    await camera.until('two attempts', () => (camera.statuses.at(-1)?.restarts ?? 0) >= 1);
    expect(camera.statuses.at(-1)).toMatchObject({ state: 'RECONNECTING', cause: code, epoch: null });
    expect(camera.states).toEqual(['CONNECTING', 'RECONNECTING']);
  });

  test.each([
    ['without a password', {}],
    ['with a wrong password', { username: 'viewer', password: 'wr0ng-c4nary' }],
  ])('%s', async (_, credentials) => {
    const camera = watch({ url: secured.urls[0]!, ...credentials });
    await camera.until('the failure', () => camera.state === 'RECONNECTING');
    expect(camera.statuses.at(-1)).toMatchObject({ cause: 'CAMERA_UNAUTHORIZED' });
  });
});

/** Without root the environment of an undumpable process cannot be read. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

describe('credentials', () => {
  test.each([
    ['digest, in the config', () => ({ url: secured.urls[0]!, username: 'viewer', password: CANARY })],
    [
      'basic, in the URL',
      () => ({ url: basic.urls[0]!.replace('//', `//viewer:${encodeURIComponent(CANARY)}@`) }),
    ],
  ])('%s, are accepted and appear nowhere', async (_, camera) => {
    const recorder = watch(camera());
    await recorder.frames(5);
    const files = ['cmdline', 'environ'].map((file) =>
      readOrNothing(`/proc/${recorder.supervisor.pid}/${file}`),
    );
    const output = JSON.stringify([recorder.statuses, files]);
    for (const spelling of [CANARY, encodeURIComponent(CANARY)]) expect(output).not.toContain(spelling);
  });
});
