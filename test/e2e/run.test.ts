import { execFile as execFileCallback } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { python } from '../broker/python.ts';
import { Austream, childrenOf, DEMO_CLIP, type Line, ROOT, Scratch } from './austream.ts';

const execFile = promisify(execFileCallback);

let cameras: Simulator;
beforeAll(async () => {
  cameras = await Simulator.start({ sources: [DEMO_CLIP], cameras: 2 });
});
afterAll(() => cameras.stop());

/** A config that watches the simulated cameras `a` and `b`. */
function config(scratch: Scratch, ids: readonly string[] = ['a']): string {
  return scratch.file('austream.yaml', {
    cameras: ids.map((id, index) => ({ id, url: cameras.urls[index] })),
    kafka: { embedded: true },
    // A second in which a busy machine shows no frame shall not end a track.
    detect: { lostSeconds: 10 },
  });
}

const ofCamera = (lines: readonly Line[], cameraId: string) =>
  lines.filter((line) => line.cameraId === cameraId);

describe('austream run', () => {
  it('turns nearly every frame that shows the face into exactly one event, in order, and says so at the end', async () => {
    using scratch = new Scratch();
    await using run = new Austream(['run', '-c', config(scratch), '--json', '--duration', '15s']);
    expect(await run.exited).toBe(0);
    const summary = run.lines.at(-1)!;
    const frames = run.of('frame');
    const tracks = new Set(frames.map((frame) => `${frame.epoch}/${frame.trackId}`));
    expect(summary).toMatchObject({ type: 'summary', faces: tracks.size, events: frames.length });
    // One face: a track for as long as capture times come from one clock, then from the camera's own.
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
    const states = run.of('camera').map((line) => line.state);
    expect(states).toContain('LIVE');
    expect(states.at(-1)).toBe('STOPPED');
    expect(run.of('activation').some((line) => line.phase === 'ONSET')).toBe(true);
  });

  it('puts on the topic what kcat gets, fastavro reads and --json prints', async () => {
    using scratch = new Scratch();
    const fastavro = await python();
    await using run = new Austream(['run', '-c', config(scratch), '--json']);
    await run.until((line) => line.type === 'frame' && line.frame >= 60);
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
      const printed = (await run.until((line) => line.eventId === event.eventId))!;
      const { type: _, interval: _interval, ...expected } = printed;
      expect(event).toEqual(single(expected));
    }
  });

  it('ends at Ctrl-C with 130, everything flushed, and leaves no process behind', async () => {
    using scratch = new Scratch();
    await using run = new Austream(['run', '-c', config(scratch), '--json']);
    await run.until((line) => line.type === 'frame');
    const children = await childrenOf(run.process.pid!);
    expect(children.length).toBeGreaterThan(0);
    run.signal('SIGINT');
    expect(await run.exited).toBe(130);
    const summary = run.lines.at(-1)!;
    expect(summary).toMatchObject({ type: 'summary', events: run.of('frame').length });
    await Promise.all(children.map(gone));
  });

  it('ends in order when its reader leaves', async () => {
    using scratch = new Scratch();
    const piped = `${join(ROOT, 'bin/austream')} run -c ${config(scratch)} --json 2>&1 >&3 | cat >&2`;
    const { stdout, stderr } = await execFile('bash', ['-c', `{ ${piped}; } 3>&1 | head -n 3`]);
    expect(stdout.trim().split('\n').length).toBe(3);
    expect(stderr).toContain('camera a is STOPPED');
    expect(stderr).not.toContain('EPIPE');
  });

  it('leaves no process behind when it is killed', async () => {
    using scratch = new Scratch();
    await using run = new Austream(['run', '-c', config(scratch), '--json']);
    await run.until((line) => line.type === 'frame');
    const children = await childrenOf(run.process.pid!);
    run.signal('SIGKILL');
    await Promise.all(children.map(gone));
  });

  it('brings a killed camera back in a new epoch with a new window, while the other loses nothing', async () => {
    using scratch = new Scratch();
    await using run = new Austream(['run', '-c', config(scratch, ['a', 'b']), '--json']);
    // Until a camera's first sender report, times are of arrival; then an epoch of its own clock begins.
    const steady = (cameraId: string) =>
      run.until((line) => line.type === 'frame' && line.cameraId === cameraId && line.clockSource === 'rtcp');
    const [first] = [await steady('a'), await steady('b')];
    const killedAt = Date.now() * 1000;
    process.kill(await cameraChild(run.process.pid!, 'a'), 'SIGKILL');
    const again = await run.until(
      (line) => line.type === 'frame' && line.cameraId === 'a' && line.epoch > first.epoch,
    );
    expect(again.warmup).toBe(true);
    await run.until(
      (line) => line.type === 'frame' && line.cameraId === 'b' && line.captureTime > again.captureTime,
    );
    run.signal('SIGINT');
    await run.exited;
    const history = ofCamera(run.of('camera'), 'a').map((line) => `${line.state} ${line.cause}`);
    expect(history).toContainEqual(expect.stringMatching(/RECONNECTING CAMERA_PROCESS_DIED/));
    const frames = ofCamera(run.of('frame'), 'b').filter((frame) => frame.clockSource === 'rtcp');
    expect(new Set(frames.map((frame) => frame.epoch)).size).toBe(1);
    // What a busy machine did not analyse is counted; nothing else is missing.
    const missing = frames.at(-1)!.frame - frames[0]!.frame + 1 - frames.length;
    const states = ofCamera(run.of('camera'), 'b');
    const counted = Object.values(states.at(-1)!.drops as Record<string, number>).reduce(
      (sum, n) => sum + n,
      0,
    );
    expect(missing).toBeLessThanOrEqual(counted);
    expect(states.map((line) => line.state)).not.toContain('RECONNECTING');
    expect(states.filter((line) => line.gap !== null && line.gap.to > killedAt)).toEqual([]);
  });
});

describe('austream says what is wrong', () => {
  const fails = async (args: string[], code: number, message: RegExp) => {
    await using run = new Austream(args, { LOBBY_PASSWORD: '' });
    expect(await run.exited).toBe(code);
    expect(run.stderr + run.stdout).toMatch(message);
  };

  it('about arguments', async () => {
    await fails(['run'], 2, /required option '-c, --config/);
    await fails(['nonsense'], 2, /unknown command 'nonsense'/);
    await fails(['run', '-c', 'x.yaml', '--duration', 'soon'], 2, /duration such as 30s/);
  });

  it('about configs: none, broken, unknown keys', async () => {
    using scratch = new Scratch();
    await fails(['run', '-c', '/nowhere.yaml'], 2, /nowhere\.yaml.*\n.*ENOENT/);
    await fails(['check', '-c', scratch.file('broken.yaml', 'cameras: [')], 2, /line 1/);
    const unknown = scratch.file('unknown.yaml', { kafka: { embedded: true }, camera: [] });
    await fails(['run', '-c', unknown], 2, /camera: is not a known key/);
  });

  it('about a port in use, before it watches anything', async () => {
    using scratch = new Scratch();
    const file = scratch.file('port.yaml', { kafka: { embedded: true }, http: { port: cameras.port } });
    await fails(['run', '-c', file], 1, new RegExp(`127\\.0\\.0\\.1:${cameras.port} is taken`));
  });

  it('about brokers that do not answer', async () => {
    using scratch = new Scratch();
    const file = scratch.file('kafka.yaml', { kafka: { brokers: ['127.0.0.1:1'], connectSeconds: 1 } });
    await fails(['run', '-c', file, '--duration', '1s'], 1, /127\.0\.0\.1:1/);
  });
});

/** Numbers that are no integers as the schema's single precision has them. */
function single(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value : expect.closeTo(value, 4);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, single(item)]));
}

/** Resolves when the process has ended; the test's own time-out is the bound. */
async function gone(pid: number): Promise<void> {
  while (await alive(pid)) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function alive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ' Z ');
  return !/\) Z /.test(stat) && stat !== ' Z ';
}

/** The camera's child process: it names itself after its camera. */
async function cameraChild(parent: number, cameraId: string): Promise<number> {
  for (const pid of await childrenOf(parent)) {
    const title = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (title.includes(cameraId)) return pid;
  }
  throw new Error(`no process of camera ${cameraId}`);
}
