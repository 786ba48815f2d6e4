import { execFile, execFileSync, fork, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { InjectedFault } from '../../src/simulate/faults.ts';
import { Simulator, type SimulatorOptions } from '../../src/simulate/simulator.ts';
import { makeClip, movingClip } from '../ingest/clips.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = (url: string) => fileURLToPath(url);
const moving = (name: string, options = {}) => file(movingClip(name, options));

async function start(options: SimulatorOptions): Promise<Simulator> {
  const simulator = await Simulator.start(options);
  onTestFinished(() => simulator.stop());
  return simulator;
}

/**
 * Plays `frames` frames with GStreamer's own client; returns their caps and PTS in nanoseconds. The end of the stream
 * counts, not the exit code: after it, rtspsrc 1.22 sometimes sends PAUSE on the connection that it has just closed.
 */
function play(url: string, frames: number): { caps: string; times: bigint[] } {
  const { stdout: output, stderr } = spawnSync(
    'gst-launch-1.0',
    [
      '-v',
      ...`rtspsrc location=${url} protocols=tcp buffer-mode=none ! application/x-rtp,media=video ! decodebin ! identity name=probe silent=false eos-after=${frames + 1} ! fakesink`.split(
        ' ',
      ),
    ],
    { encoding: 'utf8', timeout: 80_000, maxBuffer: 1 << 26 },
  );
  expect(output, stderr).toContain('Got EOS from element');
  const times = [...output.matchAll(/probe: last-message = chain .*?pts: (\d+):(\d\d):(\d\d)\.(\d{9})/g)].map(
    ([, hours, minutes, seconds, nanos]) =>
      BigInt((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000_000_000n + BigInt(nanos!),
  );
  return { caps: /probe.*?src: caps = (video\/x-raw.*)/.exec(output)?.[1] ?? '', times };
}

describe('the simulator', () => {
  test('loops a clip seamlessly: the PTS continue at the same interval', async () => {
    const simulator = await start({ sources: [moving('looped.mp4', { frames: 30 })] });
    const { times } = play(simulator.urls[0]!, 80);
    expect(times.length).toBeGreaterThanOrEqual(80);
    // The first frame only describes the stream; the clip plays from the second on.
    const [, ...played] = times;
    const intervals = played.slice(1).map((time, index) => Number(time - played[index]!) / 1e6);
    for (const interval of intervals) expect(Math.abs(interval - 40)).toBeLessThan(0.1);
  });

  test.each([
    [
      'a photograph',
      'photo.png',
      'videotestsrc num-buffers=1 ! video/x-raw,width=400,height=300 ! pngenc',
      {},
      [640, 360],
    ],
    [
      'a clip in another codec',
      'clip.webm',
      'videotestsrc num-buffers=20 ! video/x-raw,width=320,height=240 ! vp8enc ! webmmux',
      {},
      [320, 240],
    ],
    [
      'a clip at another size',
      'clip.avi',
      'videotestsrc num-buffers=20 ! video/x-raw,width=320,height=240 ! jpegenc ! avimux',
      { size: [480, 270] as const, codec: 'h265' as const },
      [480, 270],
    ],
  ])('plays %s', async (_, name, launch, options, [width, height]) => {
    const simulator = await start({ sources: [file(makeClip(name, launch))], ...options });
    const { caps, times } = play(simulator.urls[0]!, 15);
    expect(caps).toContain(`width=(int)${width}, height=(int)${height}`);
    expect(times.length).toBeGreaterThanOrEqual(15);
  });

  test('a resized stream keeps its frame rate', async () => {
    const simulator = await start({ sources: [moving('rate.mp4', { frames: 60 })], fps: 10 });
    await simulator.fault({ op: 'resize', path: '/cam1', size: [160, 120] });
    const { caps, times } = play(simulator.urls[0]!, 15);
    expect(caps).toContain('width=(int)160, height=(int)120');
    const [, ...played] = times;
    for (const [index, time] of played.slice(1).entries())
      expect(Math.abs(Number(time - played[index]!) / 1e6 - 100)).toBeLessThan(0.1);
  });

  test('a fault rejects once the server has exited', async () => {
    const simulator = await start({ sources: [moving('dead.mp4')] });
    process.kill(simulator.pid, 'SIGKILL');
    await simulator.exited;
    await expect(simulator.fault({ op: 'stop', path: '/cam1' })).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
    });
  });

  test('assigns the sources to the cameras in turn', async () => {
    const sources = [
      moving('wide.mp4', { width: 320, height: 180 }),
      moving('square.mp4', { width: 200, height: 200 }),
    ];
    const simulator = await start({ sources, cameras: 3 });
    expect(simulator.urls.map((url) => new URL(url).pathname)).toEqual(['/cam1', '/cam2', '/cam3']);
    const widths = simulator.urls.map((url) => /width=\(int\)(\d+)/.exec(play(url, 2).caps)?.[1]);
    expect(widths).toEqual(['320', '200', '320']);
  });

  test('reports unusable sources and a port in use', async () => {
    await expect(Simulator.start({ sources: ['/nowhere.mp4'] })).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
      message: expect.stringContaining('/nowhere.mp4'),
    });
    await expect(Simulator.start({ sources: [fileURLToPath(import.meta.url)] })).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
    });
    const { port } = await start({ sources: [moving('port.mp4')] });
    await expect(Simulator.start({ sources: [moving('port.mp4')], port })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
    });
  });

  test('exits with its parent', async () => {
    const parent = fork(fileURLToPath(new URL('parent.ts', import.meta.url)), [moving('orphan.mp4')]);
    const pid = await new Promise<number>((resolve) =>
      parent.once('message', (message) => resolve(message as number)),
    );
    parent.kill('SIGKILL');
    while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 20));
  });
});

describe('austream simulate', () => {
  test('prints its cameras as JSON and exits after the duration', () => {
    const output = execFileSync(
      `${root}/bin/austream`,
      ['simulate', moving('cli.mp4'), '--cameras', '2', '--port', '0', '--json', '--duration', '200ms'],
      { encoding: 'utf8' },
    );
    const { type, urls } = JSON.parse(output);
    expect(type).toBe('cameras');
    expect(urls).toHaveLength(2);
  });

  test('exits with 130 when interrupted', async () => {
    const command = spawn(
      `${root}/bin/austream`,
      ['simulate', moving('cli.mp4'), '--port', '0', '--user', 'u', '--password', 'c4nary'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [output] = await command.stdout.setEncoding('utf8').take(1).toArray();
    expect(output).toMatch(/^camera 1: rtsp:\/\/127\.0\.0\.1:\d+\/cam1$/m);
    expect(output).not.toContain('c4nary');
    command.kill('SIGINT');
    expect(await new Promise((resolve) => command.once('exit', resolve))).toBe(130);
  });

  test('--faults: the same seed gives each camera the same faults', async () => {
    const faults = async (seed: string) => {
      const args = ['simulate', moving('cli.mp4'), '--cameras', '2', '--port', '0', '--json'];
      const { stdout } = await promisify(execFile)(`${root}/bin/austream`, [
        ...args,
        ...['--duration', '22s', '--faults', seed],
      ]);
      const [, ...lines] = stdout.trim().split('\n');
      return lines.map((line) => JSON.parse(line) as InjectedFault & { type: 'fault' });
    };
    const [run1, run2, otherSeed] = await Promise.all([faults('5'), faults('5'), faults('6')]);
    for (const camera of ['/cam1', '/cam2']) {
      const [first, second] = [run1, run2].map((faults) => faults.filter(({ path }) => path === camera));
      // One of the two runs may have injected one more fault.
      const common = Math.min(first!.length, second!.length);
      expect(common).toBeGreaterThan(0);
      expect(first!.slice(0, common)).toEqual(second!.slice(0, common));
    }
    expect(otherSeed).not.toEqual(run1);
  }, 120_000);

  test.each([
    [['--fps', 'many'], /an integer/],
    [['--faults', 'all'], /an integer/],
    [['--size', '10'], /640x|1280x720/],
    [['--codec', 'divx'], /h264, h265, mjpeg/],
  ])('rejects %j', (flags, message) => {
    const run = () =>
      execFileSync(`${root}/bin/austream`, ['simulate', 'x.mp4', ...flags], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
    expect(run).toThrow(message);
    try {
      run();
    } catch (error) {
      expect((error as { status: number }).status).toBe(2);
    }
  });
});
