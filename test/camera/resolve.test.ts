import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { allowedSecrets, allowedSources, type CameraOrigin } from '../../src/camera/allow-list.ts';
import { cameraOptions } from '../../src/camera/options.ts';
import { resolveCamera, resolveReferences } from '../../src/camera/resolve.ts';
import { ownSecrets } from '../../src/camera/secrets.ts';

const root = mkdtempSync(join(tmpdir(), 'austream-secrets-'));
const dir = join(root, 'secrets');
const outside = join(root, 'worker.key');
const CANARY = 'c4n4ry-worker';
const GUESTS: readonly CameraOrigin[] = ['topic', 'socket', 'page'];

beforeAll(() => {
  mkdirSync(join(dir, '..data'), { recursive: true });
  mkdirSync(join(root, 'secrets-of-others'));
  for (const file of [outside, join(root, 'secrets-of-others/key')]) writeFileSync(file, CANARY);
  writeFileSync(join(dir, '..data/lobby'), 'p@ss:w/rd\n');
  // As the kubelet mounts a secret.
  symlinkSync('..data/lobby', join(dir, 'lobby'));
  symlinkSync(outside, join(dir, 'link'));
  symlinkSync(root, join(dir, 'up'));
  symlinkSync('self', join(dir, 'self'));
  writeFileSync(join(dir, 'large'), 'x'.repeat(100_000));
  vi.stubEnv('CAMERA_LOBBY', 'from-env');
  vi.stubEnv('KAFKA_PASSWORD', CANARY);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

const camera = (options: object) => cameraOptions.parse({ id: 'a', url: 'rtsp://10.0.0.7/live', ...options });
const allowed = (secrets: object = {}, sources: object = {}) => ({
  secrets: allowedSecrets.parse(secrets),
  sources: allowedSources.parse(sources),
});
const resolve = (options: object, origin: CameraOrigin, allowList = allowed({ dir, env: ['CAMERA_*'] })) =>
  resolveCamera(camera(options), origin, allowList);

/** The refusal names the option that decides, and never what the file or variable holds. */
function expectRefusal(attempt: () => unknown, option: string | RegExp): void {
  expect(attempt).toThrow(expect.objectContaining({ code: 'CAMERA_NOT_ALLOWED' }));
  expect(attempt).toThrow(option);
  expect(attempt).not.toThrow(CANARY);
}

describe('a camera that is not in the config file', () => {
  test.each(GUESTS)('from the %s gets no file of this machine by default', (origin) => {
    for (const options of [{ passwordFile: outside }, { tls: { ca: outside } }])
      expectRefusal(() => resolve(options, origin, allowed()), 'cluster.secrets.dir does not allow');
  });

  test.each([
    ['/etc/passwd'],
    ['/proc/self/environ'],
    [outside],
    [join(root, 'secrets-of-others/key')],
    [`${dir}/../worker.key`],
    [`${dir}/./../worker.key`],
    ['../worker.key'],
    [join(dir, 'link')],
    [`${dir}/up/worker.key`],
    [dir],
    [`${dir}/`],
  ])('cannot read %j, outside of the folder', (path) => {
    for (const origin of GUESTS) {
      expectRefusal(() => resolve({ passwordFile: path }, origin), 'cluster.secrets.dir');
      expectRefusal(() => resolve({ tls: { ca: path } }, origin), 'cluster.secrets.dir');
    }
    for (const key of ['username', 'password'])
      expectRefusal(() => resolve({ [key]: `\${file:${path}}` }, 'topic'), 'cluster.secrets.dir');
    expectRefusal(
      () => resolve({ url: `rtsp://x:\${file:${path}}@10.0.0.7/` }, 'topic'),
      'cluster.secrets.dir',
    );
  });

  test('cannot name a file with a zero byte', () => {
    expectRefusal(() => resolve({ passwordFile: `${outside}\0` }, 'topic'), 'cluster.secrets.dir');
    expect(() => resolve({ passwordFile: `${dir}/lobby\0` }, 'topic')).toThrow('cannot be read');
  });

  test('cannot make the worker wait for a pipe or read a large file', () => {
    expect(() => resolve({ passwordFile: join(dir, 'large') }, 'topic')).toThrow('at most 64 KiB');
    expect(() => resolve({ passwordFile: join(dir, 'self') }, 'topic')).toThrow('ELOOP');
    expect(() => resolve({ passwordFile: '/dev/zero' }, 'topic', allowed({ dir: '/dev' }))).toThrow('64 KiB');
  });

  test.each(['KAFKA_PASSWORD', 'PATH', 'toString', '__proto__', 'XCAMERA_LOBBY', 'camera_lobby'])(
    'cannot read the variable %s',
    (name) => {
      for (const options of [
        { password: `\${${name}}` },
        { username: `\${${name}}` },
        { url: `rtsp://10.0.0.7/\${${name}}` },
        { url: `rtsp://\${${name}}.evil.example/` },
      ])
        expectRefusal(() => resolve(options, 'topic'), 'cluster.secrets.env does not allow');
    },
  );

  test('gets the files of the folder, as a secret volume mounts them, and the variables that are named', () => {
    for (const path of [join(dir, 'lobby'), 'lobby'])
      expect(resolve({ passwordFile: path }, 'topic').camera).toMatchObject({ password: 'p@ss:w/rd' });
    expect(resolve({ password: `\${file:${dir}/lobby}` }, 'topic').camera.password).toBe('p@ss:w/rd');
    expect(resolve({ password: '${CAMERA_LOBBY}' }, 'topic').camera.password).toBe('from-env');
    const named = allowed({ env: ['CAMERA_LOBBY'] });
    expect(resolve({ password: '${CAMERA_LOBBY}' }, 'topic', named).camera.password).toBe('from-env');
    expect(() => resolve({ password: '${CAMERA_NONE}' }, 'topic')).toThrow('${CAMERA_NONE} is not set');
  });

  test('from socket and page holds values: what looks like a reference stays as it is', () => {
    for (const origin of ['socket', 'page'] as const)
      expect(resolve({ password: '${KAFKA_PASSWORD}' }, origin).camera.password).toBe('${KAFKA_PASSWORD}');
  });

  test.each([
    'file:///etc/passwd',
    'file:///proc/self/environ',
    'v4l2:///dev/video0',
    'file:///srv/clips-of-others/x',
    'file:///srv/clips/../x',
    'file:///srv/clips/%2e%2e/x',
    'file://host/srv/clips/x',
    'file:///srv/clips/%00',
  ])('cannot open %s, which the config does not name', (url) => {
    for (const origin of ['topic', 'page'] as const)
      for (const paths of [[], ['/srv/clips']])
        expectRefusal(() => resolve({ url }, origin, allowed({}, { paths })), 'cluster.sources.paths');
  });

  test('opens the files and devices that the config names, but no link that leads elsewhere', () => {
    const clips = allowed({}, { paths: [dir, '/dev/video0'] });
    expect(resolve({ url: `file://${dir}/lobby` }, 'topic', clips).addressRules).toEqual([]);
    expect(resolve({ url: 'v4l2:///dev/video0' }, 'topic', clips).camera.url).toBe('v4l2:///dev/video0');
    expectRefusal(() => resolve({ url: `file://${dir}/link` }, 'topic', clips), 'cluster.sources.paths');
    expectRefusal(() => resolve({ url: 'v4l2:///dev/video01' }, 'topic', clips), 'cluster.sources.paths');
  });

  test('is bound to the hosts that may receive secrets only if it uses one', () => {
    const hosts = ['10.0.0.0/8'];
    const bound = allowed({ dir, env: ['CAMERA_*'], hosts });
    const rule = { setting: 'cluster.secrets.hosts', allow: hosts };
    for (const secret of [{ passwordFile: 'lobby' }, { password: '${CAMERA_LOBBY}' }])
      expect(resolve(secret, 'topic', bound).addressRules).toContainEqual(rule);
    expect(resolve({ passwordFile: 'lobby' }, 'socket', bound).addressRules).toEqual([rule]);
    expect(resolve({ password: 'of-the-writer' }, 'topic', bound).addressRules).toEqual([
      { setting: 'cluster.sources.networks', allow: null },
    ]);
  });

  test('cannot smuggle a wrong URL through a variable', () => {
    vi.stubEnv('CAMERA_SLASH', 'hun/ter2');
    expect(() => resolve({ url: 'rtsp://viewer:${CAMERA_SLASH}@10.0.0.7/' }, 'topic')).toThrow(
      /^camera a: url: write \/ \? # in the password as %2F/,
    );
  });
});

describe('a camera of the config file', () => {
  test('may name any file, and is not checked', () => {
    expect(resolve({ passwordFile: outside, tls: { ca: '/etc/ca.pem' } }, 'config', allowed())).toEqual({
      camera: expect.objectContaining({ password: CANARY, tls: { ca: '/etc/ca.pem' } }),
      addressRules: [],
    });
  });
});

test('a command resolves the references of its own user', () => {
  const named = camera({ username: '${CAMERA_LOBBY}', password: `\${file:${outside}}` });
  expect(resolveReferences(named, ownSecrets())).toMatchObject({ username: 'from-env', password: CANARY });
  expect(() => resolveReferences(camera({ password: '${NOWHERE_SET}' }), ownSecrets())).toThrow(
    'password: ${NOWHERE_SET} is not set on this host',
  );
  expect(() => resolveReferences(camera({ password: '${file:/not/there}' }), ownSecrets())).toThrow(
    '/not/there cannot be read: ENOENT',
  );
});
