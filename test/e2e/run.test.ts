import { execFile as execFileCallback } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { python } from '../broker/python.ts';
import { Austream, DEMO_CLIP, descendantsOf, type JsonLine, ROOT, Scratch } from './austream.ts';

const execFile = promisify(execFileCallback);

let cameras: Simulator;
beforeAll(async () => {
  cameras = await Simulator.start({ sources: [DEMO_CLIP], cameras: 2 });
});
afterAll(() => cameras.stop());

/** A config with the simulated cameras of these ids. */
function config(scratch: Scratch, ids: readonly string[] = ['a']): string {
  return scratch.file('austream.yaml', {
    cameras: ids.map((id, index) => ({ id, url: cameras.urls[index] })),
    kafka: { embedded: true },
    // A busy machine may analyse no frame for a second; that must not end a track.
    detect: { lostSeconds: 10 },
  });
}

const ofCamera = (lines: readonly JsonLine[], cameraId: string) =>
  lines.filter((line) => line.cameraId === cameraId);

describe('austream run', () => {
  it('publishes one event for nearly every frame with the face, in order, and prints a matching summary', async () => {
    using scratch = new Scratch();
    await using run = new Austream(['run', '-c', config(scratch), '--json', '--duration', '15s']);
    expect(await run.exited).toBe(0);
    const summary = run.lines.at(-1)!;
    const frames = run.linesOfType('frame');
    const tracks = new Set(frames.map((frame) => `${frame.epoch}/${frame.trackId}`));
    expect(summary).toMatchObject({ type: 'summary', faces: tracks.size, events: frames.length });
    // One face gives one track per clock source: first arrival times, then the camera's clock.
    expect(tracks.size).toBe(new Set(frames.map((frame) => frame.clockSource)).size);
    // The clip shows its face in every frame.
    expect(frames.length).toBeGreaterThanOrEqual(0.98 * summary.framesIn);
    expect(frames.length).toBeGreaterThan(50);
    expect(new Set(frames.map((frame) => frame.eventId)).size).toBe(frames.length);
    frames.reduce((before, frame) => {
      expect(frame.captureTime).toBeGreaterThan(before.captureTime);
      return frame;
    });
    expect(summary.lagMs.p99).toBeGreaterThan(0);
    const states = run.linesOfType('camera').map((line) => line.state);
    expect(states).toContain('LIVE');
    expect(states.at(-1)).toBe('STOPPED');
    expect(run.linesOfType('activation').some((line) => line.phase === 'ONSET')).toBe(true);
  });

  it('publishes the events that --json prints, readable with kcat and fastavro', async () => {
    using scratch = new Scratch();
    const fastavro = await python();
    await using run = new Austream(['run', '-c', config(scratch), '--json']);
    await run.untilLine((line) => line.type === 'frame' && line.frame >= 60);
    const { brokers } = JSON.parse(run.stderr.split('\n').find((line) => line.includes('"running: '))!);
    const read =
      'set -o pipefail; kcat -q -C -e -b "$1" -t au.frames -o beginning -f "%R%s" | "$2" "$3" schemas/AuFrame.avsc';
    const reader = fileURLToPath(new URL('../broker/read_avro.py', import.meta.url));
    const { stdout } = await execFile('bash', ['-c', read, 'bash', brokers, fastavro, reader], {
      cwd: ROOT,
      maxBuffer: 1 << 26,
    });
    const consumed = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(consumed.length).toBeGreaterThan(40);
    for (const event of consumed) {
      const printed = (await run.untilLine((line) => line.eventId === event.eventId))!;
      const { type: _, interval: _interval, ...expected } = printed;
      expect(event).toEqual(inSinglePrecision(expected));
    }
  });

  it('exits with 130 on Ctrl-C, everything flushed, and leaves no child process', async () => {
    using scratch = new Scratch();
    await using run = new Austream(['run', '-c', config(scratch), '--json']);
    await run.untilLine((line) => line.type === 'frame');
    const children = await descendantsOf(run.process.pid!);
    expect(children.length).toBeGreaterThan(0);
    run.signal('SIGINT');
    expect(await run.exited).toBe(130);
    const summary = run.lines.at(-1)!;
    expect(summary).toMatchObject({ type: 'summary', events: run.linesOfType('frame').length });
    await Promise.all(children.map(exited));
  });

  it('shuts down in order when its output pipe closes', async () => {
    using scratch = new Scratch();
    const piped = `${join(ROOT, 'bin/austream')} run -c ${config(scratch)} --json 2>&1 >&3 | cat >&2`;
    const { stdout, stderr } = await execFile('bash', ['-c', `{ ${piped}; } 3>&1 | head -n 3`]);
    expect(stdout.trim().split('\n').length).toBe(3);
    expect(stderr).toContain('camera a is STOPPED');
    expect(stderr).not.toContain('EPIPE');
  });

  it('leaves no child process when it is killed', async () => {
    using scratch = new Scratch();
    await using run = new Austream(['run', '-c', config(scratch), '--json']);
    await run.untilLine((line) => line.type === 'frame');
    const children = await descendantsOf(run.process.pid!);
    run.signal('SIGKILL');
    await Promise.all(children.map(exited));
  });

  it('restarts a killed camera process in a new epoch with a new window; the other camera loses nothing', async () => {
    using scratch = new Scratch();
    await using run = new Austream(['run', '-c', config(scratch, ['a', 'b']), '--json']);
    // A camera's first sender report begins an epoch timed by its own clock.
    const firstRtcpFrame = (cameraId: string) =>
      run.untilLine(
        (line) => line.type === 'frame' && line.cameraId === cameraId && line.clockSource === 'rtcp',
      );
    const [first] = [await firstRtcpFrame('a'), await firstRtcpFrame('b')];
    const killedAt = Date.now() * 1000;
    process.kill(await firstCameraProcess(run.process.pid!), 'SIGKILL');
    const again = await run.untilLine(
      (line) => line.type === 'frame' && line.cameraId === 'a' && line.epoch > first.epoch,
    );
    expect(again.warmup).toBe(true);
    await run.untilLine(
      (line) => line.type === 'frame' && line.cameraId === 'b' && line.captureTime > again.captureTime,
    );
    run.signal('SIGINT');
    await run.exited;
    const history = ofCamera(run.linesOfType('camera'), 'a').map((line) => `${line.state} ${line.cause}`);
    expect(history).toContainEqual(expect.stringMatching(/RECONNECTING CAMERA_PROCESS_DIED/));
    const frames = ofCamera(run.linesOfType('frame'), 'b').filter((frame) => frame.clockSource === 'rtcp');
    expect(new Set(frames.map((frame) => frame.epoch)).size).toBe(1);
    // Frames that a busy machine skipped are counted; no other frame is missing.
    const missing = frames.at(-1)!.frame - frames[0]!.frame + 1 - frames.length;
    const states = ofCamera(run.linesOfType('camera'), 'b');
    const counted = Object.values(states.at(-1)!.drops as Record<string, number>).reduce(
      (sum, n) => sum + n,
      0,
    );
    expect(missing).toBeLessThanOrEqual(counted);
    expect(states.map((line) => line.state)).not.toContain('RECONNECTING');
    expect(states.filter((line) => line.gap !== null && line.gap.to > killedAt)).toEqual([]);
  });
});

describe('austream reports', () => {
  const expectFailure = async (args: string[], code: number, message: RegExp) => {
    await using run = new Austream(args, { LOBBY_PASSWORD: '' });
    expect(await run.exited).toBe(code);
    expect(run.stderr + run.stdout).toMatch(message);
  };

  it('invalid arguments', async () => {
    await expectFailure(['run'], 2, /required option '-c, --config/);
    await expectFailure(['nonsense'], 2, /unknown command 'nonsense'/);
    await expectFailure(['run', '-c', 'x.yaml', '--duration', 'soon'], 2, /duration such as 30s/);
  });

  it('missing and invalid configs, and unknown keys', async () => {
    using scratch = new Scratch();
    await expectFailure(['run', '-c', '/nowhere.yaml'], 2, /nowhere\.yaml.*\n.*ENOENT/);
    await expectFailure(['check', '-c', scratch.file('broken.yaml', 'cameras: [')], 2, /line 1/);
    const unknown = scratch.file('unknown.yaml', { kafka: { embedded: true }, camera: [] });
    await expectFailure(['run', '-c', unknown], 2, /camera: is not a known key/);
  });

  it('a port in use', async () => {
    using scratch = new Scratch();
    const file = scratch.file('port.yaml', { kafka: { embedded: true }, http: { port: cameras.port } });
    await expectFailure(['run', '-c', file], 1, new RegExp(`127\\.0\\.0\\.1:${cameras.port} is in use`));
  });

  it('unreachable brokers', async () => {
    using scratch = new Scratch();
    const file = scratch.file('kafka.yaml', { kafka: { brokers: ['127.0.0.1:1'], connectSeconds: 1 } });
    await expectFailure(['run', '-c', file, '--duration', '1s'], 1, /127\.0\.0\.1:1/);
  });
});

/** Expects non-integer numbers in the single precision of the schema. */
function inSinglePrecision(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value : expect.closeTo(value, 4);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(inSinglePrecision);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inSinglePrecision(item)]));
}

/** Resolves when the process has ended. The test's timeout is the limit. */
async function exited(pid: number): Promise<void> {
  while (await alive(pid)) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function alive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ' Z ');
  return !/\) Z /.test(stat) && stat !== ' Z ';
}

/** The process of the config's first camera: /proc lists children in the order in which they were started. */
async function firstCameraProcess(parent: number): Promise<number> {
  for (const pid of await descendantsOf(parent)) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (commandLine.includes('/ingest/child/')) return pid;
  }
  throw new Error('no camera process');
}
