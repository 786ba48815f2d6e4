import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sendControlRequest } from '../../src/control/client.ts';
import { controlSocket } from '../../src/control/options.ts';
import { ControlServer } from '../../src/control/server.ts';
import { detectOptions } from '../../src/detect/options.ts';
import { type CameraControl, CameraSet } from '../../src/ingest/host/camera-set.ts';
import { ingestOptions } from '../../src/ingest/options.ts';
import { log } from '../../src/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-control-'));
const path = join(folder, 'control.sock');
const SECRET = 'c4n4ry-control';
let cameras: CameraSet;
let control: ControlServer | undefined;

beforeAll(() => {
  log.level = 'silent';
  cameras = new CameraSet(
    {
      ingest: ingestOptions.parse({}),
      detect: detectOptions.parse({}),
      entry: fileURLToPath(new URL('../ingest/children/plain.ts', import.meta.url)),
    },
    { faces: () => {}, epochEnded: () => {}, status: () => {} },
  );
});
afterEach(async () => {
  await control?.close();
  control = undefined;
});
afterAll(async () => {
  await cameras.close();
  rmSync(folder, { recursive: true });
});

test('adds, lists and removes cameras without ever returning a password', async () => {
  control = await ControlServer.open(path, cameras);
  const camera = { id: 'hall', url: `rtsp://viewer:${SECRET}@127.0.0.1:9/hall`, password: SECRET };
  const yard = { id: 'yard', url: `rtsp://127.0.0.1:9/user=a&password=${SECRET}&channel=1` };
  expect(
    await sendControlRequest(path, {
      op: 'add',
      cameras: [camera, { id: 'door', url: 'rtsp://127.0.0.1:9/' }, yard],
    }),
  ).toEqual({
    ok: true,
    changes: { hall: 'added', door: 'added', yard: 'added' },
  });
  const listed = await sendControlRequest(path, { op: 'list' });
  expect(listed.cameras.map(({ id, url }) => [id, url])).toEqual([
    ['hall', 'rtsp://127.0.0.1:9/hall'],
    ['door', 'rtsp://127.0.0.1:9/'],
    ['yard', 'rtsp://127.0.0.1:9/user=a&password=***&channel=1'],
  ]);
  expect(JSON.stringify(listed)).not.toContain(SECRET);
  expect((await sendControlRequest(path, { op: 'add', cameras: [camera] })).changes).toEqual({
    hall: 'unchanged',
  });
  expect(
    (await sendControlRequest(path, { op: 'add', cameras: [{ ...camera, analysisFps: 5 }] })).changes,
  ).toEqual({
    hall: 'changed',
  });
  await sendControlRequest(path, { op: 'remove', ids: ['hall', 'door', 'yard'] });
  expect(cameras.list()).toEqual([]);
});

describe('rejects without a change', () => {
  test('an invalid camera, naming the wrong key', async () => {
    control = await ControlServer.open(path, cameras);
    const good = { id: 'good', url: 'rtsp://127.0.0.1:9/' };
    await expect(
      sendControlRequest(path, { op: 'add', cameras: [good, { id: 'bad', url: 'http://h' }] }),
    ).rejects.toThrow(/cameras\[1\]\.url: must begin with/);
    expect(cameras.list()).toEqual([]);
  });

  test('the removal of an unknown camera', async () => {
    control = await ControlServer.open(path, cameras);
    await expect(sendControlRequest(path, { op: 'remove', ids: ['nobody'] })).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
      fix: 'austream cameras list shows the ids',
    });
  });

  test('data that is not a request', async () => {
    control = await ControlServer.open(path, cameras);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(path, () => socket.write('GET / HTTP/1.1\r\n\n'));
      socket.setEncoding('utf8').on('data', resolve);
    });
    expect(JSON.parse(answer)).toMatchObject({ ok: false, code: 'ARGUMENT_INVALID' });
  });
});

test('pauses and resumes cameras, all or none', async () => {
  control = await ControlServer.open(path, cameras);
  const both = ['hall', 'door'].map((id) => ({ id, url: 'rtsp://127.0.0.1:9/' }));
  await sendControlRequest(path, { op: 'add', cameras: both });
  const states = async () => {
    const { cameras: listed } = await sendControlRequest(path, { op: 'list' });
    return Object.fromEntries(listed.map(({ id, status }) => [id, status?.state === 'PAUSED']));
  };
  await expect(sendControlRequest(path, { op: 'pause', ids: ['hall', 'nobody'] })).rejects.toThrow(
    'there is no camera nobody',
  );
  expect(await states()).toMatchObject({ hall: false, door: false });
  expect((await sendControlRequest(path, { op: 'pause', ids: ['hall'] })).changes).toEqual({
    hall: 'paused',
  });
  expect((await sendControlRequest(path, { op: 'pause', ids: ['hall'] })).changes).toEqual({
    hall: 'unchanged',
  });
  expect(await states()).toMatchObject({ hall: true, door: false });
  expect((await sendControlRequest(path, { op: 'resume', ids: ['hall', 'door'] })).changes).toEqual({
    hall: 'resumed',
    door: 'unchanged',
  });
  expect(await states()).toMatchObject({ hall: false, door: false });
  await sendControlRequest(path, { op: 'remove', ids: ['hall', 'door'] });
});

describe('a connection', () => {
  test('without a request does not delay close', async () => {
    control = await ControlServer.open(path, cameras, undefined, { idleMs: 3_600_000, keepAliveMs: 1_000 });
    const silent = connect(path);
    const ended = new Promise((resolve) => silent.once('close', resolve));
    // Connections are accepted in order: the silent one has been accepted, too.
    await sendControlRequest(path, { op: 'list' });
    await control.close();
    control = undefined;
    await ended;
  });

  test('gets keep-alives while a change takes longer than the idle timeout', async () => {
    const gate = Promise.withResolvers<void>();
    const slow: CameraControl = {
      add: (camera) => cameras.add(camera),
      list: () => cameras.list(),
      pause: (id, through) => cameras.pause(id, through),
      resume: (id) => cameras.resume(id),
      remove: (id) => gate.promise.then(() => cameras.remove(id)),
    };
    control = await ControlServer.open(path, slow, undefined, { idleMs: 400, keepAliveMs: 600 });
    const both = ['hall', 'door'].map((id) => ({ id, url: 'rtsp://127.0.0.1:9/' }));
    await sendControlRequest(path, { op: 'add', cameras: both });
    const door = sendControlRequest(path, { op: 'remove', ids: ['door'] });
    let received = '';
    const socket = connect(path, () => socket.write('{"op": "remove", "ids": ["hall"]}\n'));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk;
      if (received.length === 1) socket.write('{"op": "list"}\n');
      if (received.length === 2) gate.resolve();
    });
    await new Promise((resolve) => socket.once('close', resolve));
    expect(received).toMatch(/^ {2,}\{"ok":true,"removed":\["hall"\]\}\n$/);
    expect(await door).toEqual({ ok: true, removed: ['door'] });
  });
});

describe('the socket', () => {
  test('is accessible to its user only, and is removed on close', async () => {
    control = await ControlServer.open(path, cameras);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await control.close();
    control = undefined;
    await expect(sendControlRequest(path, { op: 'list' })).rejects.toMatchObject({
      code: 'CONTROL_UNREACHABLE',
    });
  });

  test('of a killed process is replaced, but not that of a running one', async () => {
    // A stale socket, as SIGKILL leaves it: the file without a listener.
    const left = createServer().listen(path);
    await new Promise((resolve) => left.once('listening', resolve));
    linkSync(path, `${path}.kept`);
    await new Promise((resolve) => left.close(resolve));
    renameSync(`${path}.kept`, path);
    control = await ControlServer.open(path, cameras);
    await expect(ControlServer.open(path, cameras)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    expect((await sendControlRequest(path, { op: 'list' })).cameras).toEqual([]);
  });

  test('is not created in a folder that others can change, nor over a file', async () => {
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    await expect(ControlServer.open(join(open, 'a.sock'), cameras)).rejects.toThrow(/changed by other users/);
    const file = join(folder, 'file');
    writeFileSync(file, 'precious');
    await expect(ControlServer.open(file, cameras)).rejects.toMatchObject({ code: 'PREREQUISITE_MISSING' });
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });

  const CHANGES: [string, (folder: string) => void][] = [
    ['in a folder that others can change', (folder: string) => chmodSync(folder, 0o777)],
    ['below a folder that others can change', (folder: string) => chmodSync(dirname(folder), 0o777)],
  ];
  if (process.getuid!() === 0)
    CHANGES.push(['in a folder of another user', (folder: string) => chownSync(folder, 65_534, 65_534)]);

  test.each(CHANGES)('%s is sent no password', async (_, change) => {
    const parent = mkdtempSync(join(folder, 'other-'));
    const socket = join(parent, 'austream', 'austream.sock');
    mkdirSync(dirname(socket), { mode: 0o700 });
    let received = '';
    const impostor = createServer((client) => client.on('data', (chunk) => (received += chunk))).listen(
      socket,
    );
    await new Promise((resolve) => impostor.once('listening', resolve));
    change(dirname(socket));
    const camera = { id: 'hall', url: 'rtsp://127.0.0.1:9/', password: SECRET };
    const request = sendControlRequest(socket, { op: 'add', cameras: [camera] });
    await expect(request).rejects.toMatchObject({ code: 'PREREQUISITE_MISSING' });
    await expect(ControlServer.open(join(dirname(socket), 'b.sock'), cameras)).rejects.toMatchObject({
      code: 'PREREQUISITE_MISSING',
    });
    await new Promise((resolve) => impostor.close(resolve));
    expect(received).toBe('');
  });

  test('gives a link to the live page, where there is one', async () => {
    control = await ControlServer.open(path, cameras);
    await expect(sendControlRequest(path, { op: 'link' })).rejects.toThrow(/no live page/);
    await control.close();
    control = await ControlServer.open(path, cameras, { issueLink: () => 'http://127.0.0.1:1/?token=x' });
    expect((await sendControlRequest(path, { op: 'link' })).link).toBe('http://127.0.0.1:1/?token=x');
  });

  test.runIf(process.getuid!() === 0)('cannot be opened by another user', async () => {
    control = await ControlServer.open(path, cameras);
    // The folder lets everyone through, so that only the socket's own mode protects it.
    chmodSync(folder, 0o755);
    const curl = ['curl', '-s', '--max-time', '10', '--unix-socket', path, 'http://localhost/'];
    const exitCode = async ([command, ...args]: string[]) =>
      new Promise((resolve) => execFile(command!, args, (error) => resolve(error?.code ?? 0)));
    const COULD_NOT_CONNECT = 7;
    expect(await exitCode(['setpriv', '--reuid=65534', '--clear-groups', ...curl])).toBe(COULD_NOT_CONNECT);
    expect(await exitCode(curl)).not.toBe(COULD_NOT_CONNECT);
  });

  test('has a default path unless configured', () => {
    expect(controlSocket({}, { XDG_RUNTIME_DIR: '/run/user/7' })).toBe('/run/user/7/austream.sock');
    expect(controlSocket({}, {})).toMatch(/austream-\d+\/austream\.sock$/);
    expect(controlSocket({ socket: '/a.sock' })).toBe('/a.sock');
    expect(controlSocket({ socket: null })).toBeNull();
  });
});
