import { execFile as execFileCallback } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Simulator } from '../../src/simulate/simulator.ts';
import { Austream, DEMO_CLIP, ROOT, Scratch } from './austream.ts';

const execFile = promisify(execFileCallback);

test('the config file and the command add, change and remove cameras; an unchanged camera keeps its track and window', async () => {
  const cameras = await Simulator.start({ sources: [DEMO_CLIP], cameras: 3, fps: 15 });
  using scratch = new Scratch();
  const config = (...ids: string[]) => ({
    cameras: ids.map((id, index) => ({ id, url: cameras.urls[index] })),
    kafka: { embedded: true },
    // Arrival times only: the camera's clock would begin a second epoch.
    ingest: { maxClockErrorSeconds: 0 },
    // A busy machine may analyse no frame for seconds; that must not end the track.
    detect: { lostSeconds: 10 },
    infer: { gapSeconds: 10 },
  });
  // Editors replace the file in the same way.
  const writeConfig = (content: object) => {
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
    const untilFrame = (id: string, after = 0) =>
      run.untilLine((line) => line.type === 'frame' && line.cameraId === id && line.captureTime > after);
    const untilState = (id: string, state: string) =>
      run.untilLine((line) => line.type === 'camera' && line.cameraId === id && line.state === state);
    await untilFrame('a');

    writeConfig(config('a', 'b'));
    const b = await untilFrame('b');
    writeConfig({ ...config('a', 'b'), cameras: [{ id: 'a', url: 'http://a' }] });
    await run.untilLogged('cameras[0].url: must begin with');

    const hall = ['--url', cameras.urls[2]!, '--username', 'viewer', '--password', '${HALL_PASSWORD}'];
    expect(await command('add', 'hall', ...hall)).toEqual({ added: ['hall'] });
    await untilFrame('hall', b.captureTime);
    const listed = await command('list');
    expect(
      listed.map(({ id, status }: { id: string; status: { state: string } }) => `${id} ${status.state}`),
    ).toEqual(['a LIVE', 'b LIVE', 'hall LIVE']);
    await expect(command('remove', 'b', 'nobody')).rejects.toThrow(/there is no camera nobody/);
    expect(await command('remove', 'hall')).toEqual({ removed: ['hall'] });
    writeConfig(config('a'));
    await untilState('b', 'STOPPED');
    await run.untilLine((line) => line.type === 'frame' && line.cameraId === 'a' && !line.warmup);
    run.signal('SIGINT');
    expect(await run.exited).toBe(130);

    const a = run.linesOfType('frame').filter(({ cameraId }) => cameraId === 'a');
    expect(new Set(a.map(({ epoch, trackId }) => `${epoch}/${trackId}`)).size).toBe(1);
    const statuses = run.linesOfType('camera').filter(({ cameraId }) => cameraId === 'a');
    const counted = Object.values(statuses.at(-1)!.drops as Record<string, number>).reduce(
      (sum, n) => sum + n,
      0,
    );
    expect(a.at(-1)!.frame - a[0]!.frame + 1 - a.length).toBeLessThanOrEqual(counted);
    // A window that restarted would leave warmup later.
    expect(a.findIndex(({ warmup }) => !warmup)).toBeLessThan(256 + 8);
    expect(run.stdout + run.stderr + JSON.stringify(listed)).not.toContain(env.HALL_PASSWORD);
  } finally {
    await cameras.stop();
  }
});
