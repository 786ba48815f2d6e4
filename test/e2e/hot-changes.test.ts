import { execFile as execFileCallback } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Simulator } from '../../src/simulate/simulator.ts';
import { Austream, DEMO_CLIP, ROOT, Scratch } from './austream.ts';

const execFile = promisify(execFileCallback);

test('cameras come, change and go by the config file and by the command, and a face that stays keeps its window', async () => {
  const cameras = await Simulator.start({ sources: [DEMO_CLIP], cameras: 3, fps: 15 });
  using scratch = new Scratch();
  const config = (...ids: string[]) => ({
    cameras: ids.map((id, index) => ({ id, url: cameras.urls[index] })),
    kafka: { embedded: true },
    // By arrival alone: the camera's clock would begin a second epoch.
    ingest: { maxClockErrorSeconds: 0 },
    // A busy machine may look away for seconds: that is not what this is about.
    detect: { lostSeconds: 10 },
    infer: { gapSeconds: 10 },
  });
  // As editors do it.
  const edit = (content: object) => {
    writeFileSync(join(scratch.path, 'next'), stringify(content));
    renameSync(join(scratch.path, 'next'), file);
  };
  const file = scratch.file('austream.yaml', config('a'));
  const env = { XDG_RUNTIME_DIR: scratch.path, HALL_PASSWORD: 'c4n4ry-hall' };
  const command = async (...args: string[]) => {
    const { stdout } = await execFile(join(ROOT, 'bin/austream'), ['cameras', ...args, '--json'], {
      env: { ...process.env, ...env },
    });
    return JSON.parse(stdout);
  };
  try {
    await using run = new Austream(['run', '-c', file, '--json'], env);
    const frameOf = (id: string, after = 0) =>
      run.until((line) => line.type === 'frame' && line.cameraId === id && line.captureTime > after);
    const state = (id: string, wanted: string) =>
      run.until((line) => line.type === 'camera' && line.cameraId === id && line.state === wanted);
    await frameOf('a');

    edit(config('a', 'b'));
    const b = await frameOf('b');
    edit({ ...config('a', 'b'), cameras: [{ id: 'a', url: 'http://a' }] });
    await run.said('cameras[0].url: must begin with');

    const hall = ['--url', cameras.urls[2]!, '--username', 'viewer', '--password', '${HALL_PASSWORD}'];
    expect(await command('add', 'hall', ...hall)).toEqual({ added: ['hall'] });
    await frameOf('hall', b.captureTime);
    const listed = await command('list');
    expect(
      listed.map(({ id, status }: { id: string; status: { state: string } }) => `${id} ${status.state}`),
    ).toEqual(['a LIVE', 'b LIVE', 'hall LIVE']);
    await expect(command('remove', 'b', 'nobody')).rejects.toThrow(/there is no camera nobody/);
    expect(await command('remove', 'hall')).toEqual({ removed: ['hall'] });
    edit(config('a'));
    await state('b', 'STOPPED');
    await run.until((line) => line.type === 'frame' && line.cameraId === 'a' && !line.warmup);
    run.signal('SIGINT');
    expect(await run.exited).toBe(130);

    const a = run.of('frame').filter(({ cameraId }) => cameraId === 'a');
    expect(new Set(a.map(({ epoch, trackId }) => `${epoch}/${trackId}`)).size).toBe(1);
    const statuses = run.of('camera').filter(({ cameraId }) => cameraId === 'a');
    const counted = Object.values(statuses.at(-1)!.drops as Record<string, number>).reduce(
      (sum, n) => sum + n,
      0,
    );
    expect(a.at(-1)!.frame - a[0]!.frame + 1 - a.length).toBeLessThanOrEqual(counted);
    // A window that began anew in between would be full that much later.
    expect(a.findIndex(({ warmup }) => !warmup)).toBeLessThan(256 + 8);
    expect(run.stdout + run.stderr + JSON.stringify(listed)).not.toContain(env.HALL_PASSWORD);
  } finally {
    await cameras.stop();
  }
});
