import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cameraOptions } from '../../src/camera/options.ts';
import { cameraCommand } from '../../src/ingest/host/camera-sandbox.ts';
import { LAUNCHER, sandboxSupport } from '../../src/sandbox/support.ts';

const { EPERM, EACCES, ENOSYS } = constants.errno;
const BUILD = fileURLToPath(new URL('../../src/sandbox/build', import.meta.url));
const ENTRY = fileURLToPath(new URL('../../src/ingest/child/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'austream-attack-'));
const attack = join(folder, 'attack', 'program');
let camera: Server;
let broker: Server;
let control: Server;
let other: ChildProcess;

beforeAll(async () => {
  execFileSync(BUILD, { stdio: 'pipe' });
  mkdirSync(join(folder, 'attack'));
  execFileSync('cc', ['-w', '-o', attack, fileURLToPath(new URL('attack.c', import.meta.url))], {
    stdio: 'pipe',
  });
  writeFileSync(join(folder, 'austream.yaml'), 'password: c4nary\n', { mode: 0o644 });
  [camera, broker, control] = [createServer(), createServer(), createServer()];
  await Promise.all([
    ...[camera, broker].map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done))),
    new Promise<void>((done) => control.listen(join(folder, 'control.sock'), done)),
  ]);
  other = spawn('sleep', ['1000'], { stdio: 'ignore' });
});

afterAll(() => {
  other?.kill('SIGKILL');
  for (const server of [camera, broker, control]) server?.close();
  rmSync(folder, { recursive: true, force: true });
});

const portOf = (server: Server) => (server.address() as AddressInfo).port;

/** Errors of the attempts by name; 0: it succeeded. `as`: the program that the launcher starts instead of Node. */
function run(
  url: string,
  keep: (option: string) => boolean = () => true,
  command?: string[],
): Map<string, number> {
  const { program, args } = cameraCommand('required', cameraOptions.parse({ id: 'cam', url }), ENTRY);
  expect(program).toBe(LAUNCHER);
  const options = args
    .slice(0, args.indexOf('--'))
    .filter((option, index, all) => keep(option) && keep(all[index - 1] ?? ''));
  const operands = [
    process.pid,
    other.pid,
    folder,
    join(folder, 'control.sock'),
    portOf(broker),
    portOf(camera),
  ];
  const output = execFileSync(
    program,
    [...options, '--execute', attack, '--', ...(command ?? [attack, ...operands.map(String)])],
    { encoding: 'utf8', env: { PATH: process.env.PATH } },
  );
  return new Map(
    output
      .trim()
      .split('\n')
      .map((line) => {
        const space = line.lastIndexOf(' ');
        return [line.slice(0, space), Number(line.slice(space + 1))];
      }),
  );
}

describe('code that took over a camera process', () => {
  test.each([
    ['as an own user', () => true],
    ['as the user of the host', (option: string) => option !== '--user'],
  ])('%s reaches its camera and nothing else', (_, keep) => {
    const attempts = run(`rtsp://127.0.0.1:${portOf(camera)}/`, keep);
    expect(attempts.size).toBeGreaterThan(75);
    // Any other error would say that the attempt was wrong, not that it was refused.
    const refused = [EPERM, EACCES, ENOSYS] as number[];
    const succeeded = [...attempts].filter(([, error]) => !refused.includes(error)).map(([name]) => name);
    const allowed = [...attempts.keys()].filter((name) => name.startsWith('allowed: '));
    // Ports are limited since Landlock 4.
    const ports = sandboxSupport()!.landlock < 4 ? ['connect to the broker'] : [];
    expect(succeeded.filter((name) => !ports.includes(name))).toEqual(allowed);
  });

  test.each(['file:///nowhere.mp4', 'v4l2:///dev/video99'])('that plays %s has no network', (url) => {
    const attempts = run(url);
    expect(attempts.get('allowed: connect to the camera')).not.toBe(0);
    expect(attempts.get('connect to the broker')).not.toBe(0);
  });

  test('of a camera by UDP may send UDP, of an ONVIF camera use every TCP port', () => {
    const { args } = cameraCommand(
      'required',
      cameraOptions.parse({ id: 'a', url: 'rtsp://127.0.0.1/', transport: 'udp' }),
      ENTRY,
    );
    expect(args).toContain('--udp');
    expect(args).not.toContain('--any-port');
    const onvif = cameraCommand(
      'required',
      cameraOptions.parse({ id: 'a', url: 'onvif://127.0.0.1' }),
      ENTRY,
    );
    expect(onvif.args).toContain('--any-port');
    expect(onvif.args).not.toContain('--udp');
  });
});

test('a program for another architecture or with x32 calls is killed', () => {
  const source = join(folder, 'attack', 'x32.c');
  writeFileSync(
    source,
    '#include <unistd.h>\n#include <sys/syscall.h>\nint main(void) { return syscall(0x40000000 | SYS_getpid) > 0 ? 0 : 1; }',
  );
  execFileSync('cc', ['-o', attack, source], { stdio: 'pipe' });
  if (process.arch === 'x64')
    expect(() => run('file:///nowhere.mp4', undefined, [attack])).toThrow(/SIGSYS|Command failed/);
});

test('the launcher keeps secrets out of its arguments', () => {
  const options = { id: 'cam', url: 'rtsp://viewer:c4nary@127.0.0.1/?password=c4nary', password: 'c4nary' };
  expect(cameraCommand('auto', cameraOptions.parse(options), ENTRY).args.join(' ')).not.toContain('c4nary');
});
