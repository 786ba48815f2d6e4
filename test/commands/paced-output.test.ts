import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../e2e/austream.ts';

const LINES = 100_000;

function flood(mode: string): ChildProcess & { errors: string } {
  const child = spawn(process.execPath, [fileURLToPath(new URL('flood.ts', import.meta.url)), mode]);
  const result = Object.assign(child, { errors: '' });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    result.errors += text;
  });
  return result;
}

/** Reads all that is left. Returns the number of lines and the child's report. */
async function readAll(child: ChildProcess & { errors: string }) {
  let lines = 0;
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    lines += text.split('\n').length - 1;
  });
  await once(child, 'close');
  return {
    lines,
    ...(JSON.parse(child.errors.trim().split('\n').at(-1)!) as { peakMb: number; leftOut: number }),
  };
}

test('a live view drops lines for a reader that stops, counts them, and its memory is bounded', async () => {
  const child = flood('live');
  await expect.poll(() => child.errors, { timeout: 30_000 }).toContain('"leftOut"');
  const { lines, peakMb, leftOut } = await readAll(child);
  expect(leftOut).toBeGreaterThan(LINES / 2);
  expect(lines + leftOut).toBe(LINES);
  expect(peakMb).toBeLessThan(200);
  expect(child.errors).toContain('whoever reads the output does not keep up: lines are left out');
  expect(child.errors).toContain(`${leftOut} lines of the output were left out`);
});

test('a source that can wait loses nothing to a reader that stops for a while', async () => {
  const child = flood('wait');
  await once(child.stdout!, 'readable');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(child.exitCode).toBeNull();
  expect(await readAll(child)).toMatchObject({ lines: LINES, leftOut: 0 });
  expect(JSON.parse(child.errors).peakMb).toBeLessThan(200);
});

test('a reader that closes the output ends the wait', async () => {
  const child = spawn('bash', [
    '-c',
    '"$0" "$1" wait | head -n 3',
    process.execPath,
    fileURLToPath(new URL('flood.ts', import.meta.url)),
  ]);
  let lines = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    lines += chunk.toString().split('\n').length - 1;
  });
  await once(child, 'close');
  expect(lines).toBe(3);
});

test('a terminal that was stopped stops no live view', async () => {
  const child = spawn('python3', [
    fileURLToPath(new URL('stopped-terminal.py', import.meta.url)),
    process.execPath,
    fileURLToPath(new URL('flood.ts', import.meta.url)),
    'live',
  ]);
  // It takes its command along.
  onTestFinished(() => void child.kill());
  const [report] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  expect(JSON.parse(report.trim().split('\n').at(-1)!).leftOut).toBeGreaterThan(LINES / 2);
}, 30_000);

test('a command whose standard output cannot be written ends in order, with the reason', async () => {
  const commands = ['simulate models/demo/clip.mp4 --port 0 --json', 'completion bash'];
  const ends = commands.map(async (command) => {
    const child = spawn('bash', ['-c', `bin/austream ${command} >/dev/full`], { cwd: ROOT });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    const [code] = (await once(child, 'close')) as [number];
    return { code, errors };
  });
  const end = { code: 1, errors: 'austream: standard output cannot be written: ENOSPC\n' };
  expect(await Promise.all(ends)).toEqual([end, end]);
}, 60_000);
