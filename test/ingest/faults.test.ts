import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { movingClip } from './clips.ts';
import { Recorder } from './recorder.ts';

let simulator: Simulator;
const cameras: Recorder[] = [];

function watch(...args: ConstructorParameters<typeof Recorder>): Recorder {
  const camera = new Recorder(...args);
  cameras.push(camera);
  return camera;
}

/** Checks that capture times and frame numbers rise within each epoch, and epochs rise. */
function expectTimesInOrder(camera: Recorder): void {
  for (const [index, faces] of camera.faces.slice(1).entries()) {
    const before = camera.faces[index]!;
    expect(faces.epoch).toBeGreaterThanOrEqual(before.epoch);
    if (faces.epoch === before.epoch) {
      expect(faces.captureTime).toBeGreaterThan(before.captureTime);
      expect(faces.frame).toBeGreaterThan(before.frame);
      expect(faces.clockSource).toBe(before.clockSource);
    }
  }
}

beforeAll(async () => {
  simulator = await Simulator.start({
    sources: [fileURLToPath(movingClip('faults.mp4', { frames: 50 }))],
    cameras: 2,
  });
});

afterEach(async () => {
  await Promise.all(cameras.splice(0).map(({ supervisor }) => supervisor.stop()));
});

afterAll(() => simulator?.stop());

describe('a killed camera process', () => {
  test('restarts with a new epoch and a gap event, and no other camera loses a frame', async () => {
    const [victim, bystander] = simulator.urls.map((url, index) =>
      watch({ url, id: `cam${index}` }, { maxClockErrorSeconds: 0, gapSeconds: 0.2, statusSeconds: 1 }),
    );
    await Promise.all([victim!.frames(20), bystander!.frames(20)]);
    const from = bystander!.faces.length;
    const [epoch] = victim!.epochs;
    const last = victim!.faces.at(-1)!;
    process.kill(victim!.supervisor.pid!, 'SIGKILL');
    await victim!.until('a new epoch', () => victim!.epochs.length === 2);
    await victim!.frames(10);
    expect(victim!.endedEpochs).toEqual([epoch]);
    expect(victim!.states).toEqual(['CONNECTING', 'LIVE', 'RECONNECTING', 'LIVE']);
    expect(victim!.statuses.find(({ state }) => state === 'RECONNECTING')).toMatchObject({
      cause: 'CAMERA_PROCESS_DIED',
      detail: expect.stringContaining('SIGKILL'),
    });
    const gap = victim!.statuses.find((status) => status.gap?.cause === 'CAMERA_PROCESS_DIED')!.gap!;
    expect(gap.from).toBeGreaterThanOrEqual(last.captureTime);
    expect(victim!.faces.some(({ captureTime }) => captureTime === gap.to)).toBe(true);
    expectTimesInOrder(victim!);

    // On a loaded machine frames may be dropped; each of them is counted.
    const frames = bystander!.faces.slice(from);
    const missing = frames.at(-1)!.frame - frames[0]!.frame + 1 - frames.length;
    await bystander!.until(
      'a status with the counts of these frames',
      () => bystander!.statuses.at(-1)!.at > frames.at(-1)!.receivedAt + 1e6,
    );
    const counted = Object.values(bystander!.statuses.at(-1)!.drops).reduce((sum, drops) => sum + drops, 0);
    expect(missing).toBeLessThanOrEqual(counted);
    expect(bystander!.epochs).toHaveLength(1);
  });

  test('exits when its host is killed', async () => {
    const host = fork(fileURLToPath(new URL('children/host.ts', import.meta.url)), [simulator.urls[0]!]);
    const child = await new Promise<number>((resolve) =>
      host.once('message', (pid) => resolve(pid as number)),
    );
    expect(existsSync(`/proc/${child}`)).toBe(true);
    host.kill('SIGKILL');
    await expect.poll(() => existsSync(`/proc/${child}`), { timeout: 60_000 }).toBe(false);
  });
});

test('stop() ends a child, even if it does not process messages', async () => {
  const hanging = watch({ url: simulator.urls[0]! }, {}, { child: 'hanging' });
  const running = watch({ url: simulator.urls[0]! });
  await running.frames(3);
  const pids = [hanging, running].map(({ supervisor }) => supervisor.pid!);
  await Promise.all([hanging.supervisor.stop(), running.supervisor.stop()]);
  expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  expect([hanging.state, running.state]).toEqual(['STOPPED', 'STOPPED']);
  expect(running.endedEpochs).toEqual(running.epochs);
});

describe('a camera without frames', () => {
  test('while connected is STALLED, then reconnects', async () => {
    const camera = watch({ url: simulator.urls[0]! }, { stallSeconds: 1, maxClockErrorSeconds: 0 });
    await camera.frames(10);
    await simulator.fault({ op: 'freeze', path: '/cam1', on: true });
    await camera.until('a stall', () => camera.states.includes('RECONNECTING'));
    await simulator.fault({ op: 'freeze', path: '/cam1', on: false });
    await camera.until('a new epoch', () => camera.epochs.length === 2);
    expect(camera.states.slice(0, 4)).toEqual(['CONNECTING', 'LIVE', 'STALLED', 'RECONNECTING']);
    expect(camera.statuses.some(({ gap }) => gap?.cause === 'CAMERA_STALLED')).toBe(true);
    expectTimesInOrder(camera);
  });

  test('since it connected is reported as CAMERA_NO_VIDEO', async () => {
    // The first viewer keeps the server's stream running.
    const viewer = watch({ url: simulator.urls[1]! }, { stallSeconds: 60 });
    await viewer.frames(5);
    await simulator.fault({ op: 'freeze', path: '/cam2', on: true });
    const camera = watch({ url: simulator.urls[1]! }, { connectSeconds: 2 });
    await camera.until('the failure', () => camera.state === 'RECONNECTING');
    await simulator.fault({ op: 'freeze', path: '/cam2', on: false });
    expect(camera.statuses.at(-1)!.cause).toBe('CAMERA_NO_VIDEO');
  });

  test('for a moment stays connected, and the gap is reported', async () => {
    const camera = watch(
      { url: simulator.urls[1]! },
      { stallSeconds: 20, gapSeconds: 0.5, maxClockErrorSeconds: 0 },
    );
    await camera.frames(10);
    await simulator.fault({ op: 'freeze', path: '/cam2', on: true });
    const frozenAt = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const frozenMs = performance.now() - frozenAt;
    await simulator.fault({ op: 'freeze', path: '/cam2', on: false });
    // The gap is at least as long as the freeze; a loaded machine may make shorter gaps of its own.
    const longGap = () =>
      camera.statuses.find(({ gap }) => gap !== null && (gap.to - gap.from) / 1000 > frozenMs - 200)?.gap;
    await camera.until('a gap event', () => longGap() !== undefined);
    const gap = longGap()!;
    // It reaches from the last frame before the freeze to the next one.
    const last = camera.faces.findIndex(({ captureTime }) => captureTime === gap.from);
    expect(last).toBeGreaterThanOrEqual(0);
    expect(camera.faces[last + 1]!.captureTime).toBe(gap.to);
    expect(gap.framesLost).toBe(Math.round((gap.to - gap.from) / 40_000) - 1);
    expect(camera.epochs).toHaveLength(1);
  });

  test('whose server stops is reconnected once the server is back', async () => {
    const camera = watch({ url: simulator.urls[0]! }, { maxClockErrorSeconds: 0 });
    await camera.frames(10);
    await simulator.fault({ op: 'stop' });
    await camera.until('unreachable', () => camera.statuses.at(-1)!.cause === 'CAMERA_UNREACHABLE');
    await simulator.fault({ op: 'start' });
    await camera.until('a new epoch', () => camera.epochs.length === 2);
    expect(camera.state).toBe('LIVE');
    expect(camera.endedEpochs).toEqual([camera.epochs[0]]);
  });
});

describe('a stream that changes', () => {
  test('in resolution begins a new epoch without a reconnect', async () => {
    const camera = watch({ url: simulator.urls[1]! }, { maxClockErrorSeconds: 0 });
    await camera.frames(10);
    await simulator.fault({ op: 'resize', path: '/cam2', size: [160, 120] });
    await camera.until('a new epoch', () => camera.epochs.length === 2);
    await camera.frames(5);
    const [before, after] = camera.epochs.map(
      (epoch) => camera.faces.find((faces) => faces.epoch === epoch)!,
    );
    expect([before!.crops[0]!.box.w, after!.crops[0]!.box.w]).toEqual([320, 160]);
    expect(after!.frame).toBe(0);
    expect(camera.statuses.at(-1)).toMatchObject({
      width: 160,
      height: 120,
      restarts: 0,
      cause: 'format_changed',
    });
    expect(camera.endedEpochs).toEqual([camera.epochs[0]]);
    await simulator.fault({ op: 'resize', path: '/cam2', size: [320, 240] });
  });

  test('in rate is measured within the epoch, whatever rate it declares', async () => {
    const camera = watch({ url: simulator.urls[1]! }, { maxClockErrorSeconds: 0 });
    await camera.frames(10);
    expect(camera.faces.at(-1)!.interval).toBe(40_000);
    await simulator.fault({ op: 'slow', path: '/cam2', factor: 2 });
    await camera.until('the measured rate', () => Math.abs(camera.faces.at(-1)!.interval - 80_000) < 8_000);
    await simulator.fault({ op: 'slow', path: '/cam2', factor: 1 });
    const [before, after] = camera.faces.slice(-2);
    const distance = (after!.captureTime - before!.captureTime) / (after!.frame - before!.frame);
    expect(Math.abs(distance - 80_000)).toBeLessThan(1_000);
    expect(camera.epochs).toHaveLength(1);
    expectTimesInOrder(camera);
  });

  test('in its clock, by less than the maximum error, begins a new epoch', async () => {
    const camera = watch({ url: simulator.urls[0]! }, { maxClockErrorSeconds: 7200 });
    await camera.until('clock of the camera', () => camera.faces.at(-1)?.clockSource === 'rtcp');
    await simulator.fault({ op: 'clock', path: '/cam1', offset: -3600 });
    await camera.until('the step', () => camera.statuses.at(-1)!.cause === 'clock_stepped');
    await camera.frames(5);
    await camera.until('times of the camera’s clock', () => {
      const { captureTime, receivedAt, clockSource } = camera.faces.at(-1)!;
      return clockSource === 'rtcp' && Math.abs((receivedAt - captureTime) / 1e6 - 3600) < 2;
    });
    await simulator.fault({ op: 'clock', path: '/cam1', offset: 0 });
    expectTimesInOrder(camera);
  });

  test('in its clock, by more than the maximum error, falls back to arrival times', async () => {
    const camera = watch({ url: simulator.urls[1]! });
    await camera.until('clock of the camera', () => camera.faces.at(-1)?.clockSource === 'rtcp');
    await simulator.fault({ op: 'clock', path: '/cam2', offset: 3600 });
    await camera.until('arrival times', () => camera.faces.at(-1)!.clockSource === 'arrival');
    await camera.frames(5);
    await camera.until('times of the host’s clock', () => {
      const { captureTime, receivedAt, clockSource } = camera.faces.at(-1)!;
      return clockSource === 'arrival' && Math.abs(receivedAt - captureTime) < 2e6;
    });
    expect(camera.statuses.at(-1)!.cause).toBe('clock_source_changed');
    expectTimesInOrder(camera);
  });
});

test.each(['tcp', 'udp'] as const)(
  'packet loss over %s drops frames, and never shows a corrupted one',
  async (transport) => {
    const clip = movingClip('lossy.mp4', { frames: 50, width: 640, height: 480 });
    const original = new Recorder({ url: clip });
    await original.supervisor.done;
    const lossy = await Simulator.start({ sources: [fileURLToPath(clip)] });
    try {
      const camera = watch({ url: lossy.urls[0]!, transport }, { maxClockErrorSeconds: 0 });
      await camera.frames(5);
      // The probability that none of 80 packets is lost is 1 in 800.
      await lossy.fault({ op: 'loss', path: '/cam1', probability: 0.08 });
      await camera.frames(85);
      const intact = new Set(original.checksums);
      const shown = camera.faces.map(({ crops, captureTime }, index) => ({
        captureTime,
        valid: intact.has(camera.checksums[index]!) || crops[0]!.quality.unreliable === 'corrupt_video',
      }));
      expect(shown.filter((frame) => !frame.valid)).toEqual([]);
      const first = camera.faces[0]!.captureTime;
      const sent = (camera.faces.at(-1)!.captureTime - first) / 40_000 + 1;
      expect(Math.round(sent)).toBeGreaterThan(camera.faces.length);
      expectTimesInOrder(camera);
    } finally {
      await lossy.stop();
    }
  },
);

test('a host that was blocked receives the newest frames; frames that are too old have no crops', async () => {
  const camera = watch(
    { url: simulator.urls[0]! },
    { maxClockErrorSeconds: 0, maxAgeSeconds: 0.5, statusSeconds: 1 },
    {
      onFaces: () => {
        if (camera.faces.length === 20) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
      },
    },
  );
  await camera.frames(60);
  const afterBlock = camera.faces.slice(20, 60);
  const tooOld = () => camera.faces.filter(({ crops }) => crops.length === 0);
  expect(tooOld().length).toBeGreaterThan(0);
  // Only the frames on the pipe are too old; the others of the two seconds were dropped before it.
  expect(afterBlock.findIndex(({ crops }) => crops.length === 1)).toBeLessThanOrEqual(10);
  await camera.until('a frame in time', () => camera.faces.at(-1)!.crops.length === 1);
  expect(afterBlock.at(-1)!.frame - afterBlock[0]!.frame).toBeGreaterThan(60);
  await camera.until('the drops', () => {
    const drops = camera.statuses.at(-1)!.drops;
    return drops.too_old === tooOld().length && drops.host_slow! > 10;
  });
  expectTimesInOrder(camera);
});

test('an analysis slower than the camera gets the newest frame, and drops are counted', async () => {
  const camera = watch(
    { url: simulator.urls[0]! },
    { maxClockErrorSeconds: 0, statusSeconds: 1 },
    { child: 'slow' },
  );
  await camera.frames(20);
  await camera.until('a status', () => (camera.statuses.at(-1)!.drops.analysis_slow ?? 0) > 20);
  // At 25 fps three or more frames pass during an analysis of 120 ms; a queue would deliver each of them.
  const steps = camera.faces.slice(1).map(({ frame }, index) => frame - camera.faces[index]!.frame);
  expect(steps.sort((a, b) => a - b)[steps.length >> 1]).toBeGreaterThanOrEqual(3);
  const skipped = camera.faces.at(-1)!.frame + 1 - camera.faces.length;
  expect(skipped).toBeGreaterThan(20);
  expectTimesInOrder(camera);
});

test('a child without CPU time to read drops the frames decoded meanwhile, and counts them', async () => {
  const camera = watch(
    { url: simulator.urls[0]! },
    { maxClockErrorSeconds: 0, statusSeconds: 1, gapSeconds: 10 },
    { child: 'stalling' },
  );
  await camera.until('drops of the decoder queue', () => {
    const dropped = camera.statuses.at(-1)!.drops.reader_slow ?? 0;
    if (dropped <= 40) return false;
    const [first, last] = [camera.faces[0]!, camera.faces.at(-1)!];
    // At 25 fps; frames are numbered when read. Up to 12 are in the queue, and a status is up to a second (25) old.
    const sent = 1 + Math.round((last.captureTime - first.captureTime) / 40_000);
    const missing = sent - (last.frame + 1);
    return Math.abs(missing - dropped) <= 12 + 25;
  });
  expectTimesInOrder(camera);
});
