import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeSandbox, missingSandbox, sandboxFor, sandboxSupport } from '../../src/sandbox/support.ts';

const AS_USER = ['--reuid=61000', '--regid=61000', '--clear-groups'];
const SUPPORT = fileURLToPath(new URL('../../src/sandbox/support.ts', import.meta.url));

test('what this system has is described, and what it lacks is named', () => {
  expect(sandboxSupport()).toMatchObject({ landlock: expect.any(Number), seccomp: true });
  const full = { landlock: 7, seccomp: true, changesUser: false };
  expect(missingSandbox(full)).toEqual([]);
  expect(describeSandbox(full)).toBe('no_new_privs, no capabilities, Landlock 7 (files, TCP ports), seccomp');
  expect(missingSandbox({ ...full, landlock: 3 })).toEqual([
    'Landlock 3 does not limit TCP ports (Linux 6.7 does)',
  ]);
  expect(missingSandbox({ ...full, landlock: 0, seccomp: false })).toHaveLength(2);
  expect(missingSandbox(null)).toEqual([expect.stringContaining('make setup')]);
});

test('off uses nothing', () => {
  expect(sandboxFor('off')).toBeNull();
  expect(sandboxFor('auto')).toEqual(sandboxSupport());
});

test('required refuses to start where the launcher is not built; auto goes on and says so', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'austream-unbuilt-'));
  try {
    cpSync(fileURLToPath(new URL('../../src', import.meta.url)), join(folder, 'src'), { recursive: true });
    const unbuilt = (await import(
      join(folder, 'src/sandbox/support.ts')
    )) as typeof import('../../src/sandbox/support.ts');
    expect(() => unbuilt.sandboxFor('required')).toThrow(
      expect.objectContaining({
        code: 'PREREQUISITE_MISSING',
        message: expect.stringContaining('not built'),
      }),
    );
    expect(unbuilt.sandboxFor('auto')).toBeNull();
    expect(unbuilt.makeUndumpable()).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an undumpable process hides its environment from others of its user', async () => {
  if (process.getuid!() !== 0) return;
  const folder = mkdtempSync(join(tmpdir(), 'austream-undumpable-'));
  const script = join(folder, 'script.mjs');
  writeFileSync(
    script,
    `const { makeUndumpable } = await import(${JSON.stringify(SUPPORT)});
     if (process.argv[2] === 'protected') makeUndumpable();
     console.log('ready'); setInterval(() => {}, 1000);`,
  );
  const environmentOf = async (kind: string) => {
    const child = spawn('setpriv', [...AS_USER, process.execPath, script, kind], {
      env: { SECRET: 'c4nary' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise((ready) => child.stdout.once('data', ready));
    try {
      return execFileSync(
        'setpriv',
        [...AS_USER, 'cat', `/proc/${child.pid}/status`, `/proc/${child.pid}/environ`],
        { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'] },
      );
    } catch (error) {
      return String((error as { stdout: string }).stdout);
    } finally {
      child.kill('SIGKILL');
    }
  };
  try {
    execFileSync('chmod', ['-R', 'a+rX', folder]);
    expect(await environmentOf('open')).toContain('c4nary');
    const hidden = await environmentOf('protected');
    expect(hidden).toContain('Name:');
    expect(hidden).not.toContain('c4nary');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the launcher refuses a command line that it does not know', () => {
  const launcher = fileURLToPath(new URL('../../dist/sandbox/launcher', import.meta.url));
  expect(() => execFileSync(launcher, ['--nonsense', '--', '/bin/true'], { stdio: 'pipe' })).toThrow(
    /nonsense/,
  );
  expect(() => execFileSync(launcher, ['--read'], { stdio: 'pipe' })).toThrow(/without its value/);
  expect(readFileSync(launcher).length).toBeGreaterThan(1_000);
});
