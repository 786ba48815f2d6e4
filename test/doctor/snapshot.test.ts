import { execFile } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { makeClip } from '../ingest/clips.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-snapshot-'));
afterAll(() => rmSync(folder, { recursive: true }));

let simulator: Simulator;
beforeAll(async () => {
  const clip = makeClip(
    'snapshot.mp4',
    'videotestsrc num-buffers=50 pattern=white ! video/x-raw,width=1300,height=720,framerate=25/1 ! x264enc ! mp4mux',
  );
  simulator = await Simulator.start({ sources: [fileURLToPath(clip)], user: 'viewer', password: 'c4nary' });
}, 60_000);
afterAll(() => simulator?.stop());

const LEFT_HALF = [
  [0, 0],
  [0.5, 0],
  [0.5, 1],
  [0, 1],
];
const UPPER_RIGHT = [
  [0.6, 0.1],
  [0.9, 0.1],
  [0.9, 0.4],
  [0.6, 0.4],
];

function config(...cameras: object[]): string {
  const path = join(folder, 'config.yaml');
  writeFileSync(path, JSON.stringify({ cameras, kafka: { embedded: true } }), { mode: 0o600 });
  return path;
}

const camera = (options = {}) => ({
  id: 'lobby',
  url: simulator.urls[0],
  username: 'viewer',
  password: 'c4nary',
  ...options,
});

async function doctor(...args: string[]): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await promisify(execFile)('bin/austream', ['doctor', ...args]).then(
    (done) => ({ ...done, code: 0 }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
  return { code, output: stdout + stderr };
}

/** Mean colour of a square of 20 pixels at these fractions of the picture. */
async function colourAt(file: string, x: number, y: number): Promise<number[]> {
  const { width, height } = await sharp(file).metadata();
  const area = { left: Math.round(x * width), top: Math.round(y * height), width: 20, height: 20 };
  const { channels } = await sharp(await sharp(file).extract(area).toBuffer()).stats();
  return channels.slice(0, 3).map(({ mean }) => mean);
}

describe('austream doctor --snapshot', () => {
  test('stores a private picture with masks and zones drawn', { timeout: 120_000 }, async () => {
    const path = join(folder, 'areas.png');
    const detect = { masks: [LEFT_HALF], zones: [{ id: 'entrance', polygon: UPPER_RIGHT }] };
    const { code, output } = await doctor('-c', config(camera({ detect })), '--snapshot', path);
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('entrance') });
    expect(output).not.toContain('c4nary');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { width, height } = await sharp(path).metadata();
    expect(width / height).toBeCloseTo(1300 / 720, 2);
    expect(width).toBeGreaterThan(1_000);
    const [red, green] = await colourAt(path, 0.2, 0.8);
    expect(red! - green!).toBeGreaterThan(60);
    for (const value of await colourAt(path, 0.7, 0.8)) expect(value).toBeGreaterThan(225);
    const [outlineRed, outlineGreen] = await colourAt(path, 0.6 - 10 / width, 0.25);
    expect(outlineGreen! - outlineRed!).toBeGreaterThan(15);
  });

  test('does not replace a file or follow a link without --force', { timeout: 120_000 }, async () => {
    const path = join(folder, 'kept.jpg');
    writeFileSync(path, 'mine');
    const file = config(camera());
    const refused = await doctor('-c', file, '--snapshot', path);
    expect(refused).toMatchObject({ code: 2, output: expect.stringContaining('--force') });
    expect(readFileSync(path, 'utf8')).toBe('mine');
    const link = join(folder, 'link.jpg');
    symlinkSync(join(folder, 'target.jpg'), link);
    expect(await doctor('-c', file, '--snapshot', link)).toMatchObject({ code: 2 });
    expect(await doctor('-c', file, '--snapshot', path, '--force')).toMatchObject({ code: 0 });
    expect((await sharp(path).metadata()).format).toBe('jpeg');
    expect(readdirSync(folder)).not.toContain('target.jpg');
  });

  test.each([
    [[], /choose one with --camera: lobby, yard/],
    [['--camera', 'hall'], /no camera hall/],
  ])('asks which of several cameras: %j', async (args, message) => {
    const file = config(camera(), camera({ id: 'yard' }));
    const { code, output } = await doctor('-c', file, '--snapshot', join(folder, 'none.png'), ...args);
    expect(code).toBe(2);
    expect(output).toMatch(message);
  });

  test('a camera that fails gives its own error and no file', { timeout: 120_000 }, async () => {
    const path = join(folder, 'failed.png');
    const { code, output } = await doctor('-c', config(camera({ password: 'wrong' })), '--snapshot', path);
    expect(code).not.toBe(0);
    expect(output).toContain('the camera rejects the user name or password');
    expect(readdirSync(folder).filter((name) => name.startsWith('failed'))).toEqual([]);
  });

  test.each([
    [['--snapshot', 'x.bmp'], /JPEG nor a PNG/],
    [['--snapshot', '/nonexistent/x.png'], /needs the config/],
  ])('rejects %j', async (args, message) => {
    const files = message.source.includes('config') ? [] : ['-c', config(camera())];
    const { code, output } = await doctor(...files, ...args);
    expect(code).toBe(2);
    expect(output).toMatch(message);
  });
});
