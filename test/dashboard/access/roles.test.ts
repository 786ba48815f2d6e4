import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fastify } from 'fastify';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { cameraOptions } from '../../../src/camera/options.ts';
import { Access } from '../../../src/dashboard/access/access.ts';
import { guardRoutes } from '../../../src/dashboard/access/guard.ts';
import { dashboardOptions } from '../../../src/dashboard/options.ts';
import { log } from '../../../src/log.ts';
import { faceCrop, frameOf } from '../../infer/faces.ts';
import { generatedFrame, generatedStatus } from '../generated.ts';
import { serveLivePage } from '../serve.ts';
import { signedIn, signIn } from './sign-in.ts';

const ALICE = { name: 'alice', token: 'alice-token-of-many-letters', role: 'operate' as const };
const BOB = { name: 'bob', token: 'bob-token-of-many-letters', role: 'view' as const };
const CAROL = {
  name: 'carol',
  token: 'carol-token-of-many-letters',
  role: 'operate' as const,
  cameras: ['lobby', 'new'],
};
const HTTP = { host: '127.0.0.1', port: 0 };

beforeAll(() => {
  log.level = 'info';
});
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  vi.restoreAllMocks();
});

/** A page with the cameras `lobby` and `secret-room`, each with a face and its picture. */
async function livePage(users: unknown[] = [ALICE, BOB, CAROL]) {
  const logged = vi.spyOn(log, 'info').mockImplementation(() => {});
  const served = await serveLivePage({ dashboard: { users } as never, showVideo: true });
  cleanups.push(served.close);
  for (const id of ['lobby', 'secret-room']) {
    await served.cameras.add(cameraOptions.parse({ id, url: 'rtsp://127.0.0.1:9/' }), 'config');
    served.store.updateCamera(generatedStatus(id, 'LIVE'));
    served.store.addFrames([
      generatedFrame({ cameraId: id, trackId: 1, frame: 1, receivedAt: Date.now() * 1_000 }),
    ]);
    served.store.addCrops({ ...frameOf([{ ...faceCrop({ frame: 1 }), cameraId: id }]), cameraId: id });
  }
  return { ...served, logged };
}

/** Reads an event stream until `enough`; returns its text. `ended` is set when the server ends it. */
async function openStream(url: string, headers: Record<string, string>) {
  const response = await fetch(`${url}/events`, { headers });
  const stream = { status: response.status, text: '', ended: false };
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  cleanups.push(() => reader.cancel().catch(() => {}));
  void (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      stream.text += value;
    }
    stream.ended = true;
  })().catch(() => {});
  return stream;
}

test('a route without a role is not registered', async () => {
  const server = fastify();
  cleanups.push(() => server.close());
  server.register(async (routes) => {
    guardRoutes(routes, new Access(HTTP, dashboardOptions.parse({})));
    routes.get('/forgotten', () => 'data');
  });
  await expect(server.ready()).rejects.toThrow('GET /forgotten declares no role');
});

test('the role view sees the cameras and changes nothing', async () => {
  const { server, url, cameras } = await livePage();
  for (const headers of [
    await signedIn(server, BOB.token),
    { authorization: `Bearer ${BOB.token}`, 'x-austream': '1' },
  ]) {
    const stream = await openStream(url, headers);
    await expect.poll(() => stream.text).toContain('"lobby"');
    expect(stream.text).toContain('"person":{"name":"bob","role":"view"');
    for (const [method, path] of [
      ['POST', '/cameras'],
      ['DELETE', '/cameras/lobby'],
      ['DELETE', '/cameras/none'],
      ['POST', '/cameras/lobby/pause'],
      ['POST', '/cameras/lobby/resume'],
    ] as const) {
      const payload = path === '/cameras' ? { id: 'x', url: 'rtsp://127.0.0.1:9/' } : undefined;
      const response = await server.inject({ method, url: path, headers, ...(payload ? { payload } : {}) });
      expect(response.statusCode).toBe(403);
    }
  }
  expect(cameras.list().map(({ id }) => id)).toEqual(['lobby', 'secret-room']);
});

describe('a person with some cameras', () => {
  test('sees nothing of the others in events, also when they change or go', async () => {
    const { server, url, store, cameras } = await livePage();
    const stream = await openStream(url, await signedIn(server, CAROL.token));
    await expect.poll(() => stream.text).toContain('lobby/1/1');
    store.updateCamera(generatedStatus('secret-room', 'STALLED'));
    store.addFrames([
      generatedFrame({ cameraId: 'secret-room', trackId: 2, frame: 2, receivedAt: Date.now() * 1_000 }),
    ]);
    await cameras.remove('secret-room');
    store.updateCamera(generatedStatus('lobby', 'STALLED'));
    await expect.poll(() => stream.text).toContain('STALLED');
    expect(stream.text).not.toContain('secret-room');
  });

  test('gets no picture of the others', async () => {
    const { server } = await livePage();
    const carol = await signedIn(server, CAROL.token);
    const picture = async (key: string, headers: Record<string, string>) =>
      (await server.inject({ url: `/pictures/${key}`, headers })).statusCode;
    expect(await picture('lobby%2F0%2F1', carol)).toBe(200);
    for (const key of [
      'secret-room%2F0%2F1',
      'secret-room/0/1',
      'lobby/../secret-room/0/1',
      'lobby%2F..%2Fsecret-room%2F0%2F1',
      '%2Fsecret-room%2F0%2F1',
      'secret%2Droom%2F0%2F1',
      '/secret-room/0/1',
    ])
      expect(await picture(key, carol)).toBe(404);
    expect(await picture('secret-room%2F0%2F1', await signedIn(server, ALICE.token))).toBe(200);
  });

  test('cannot change the others, nor learn that they exist', async () => {
    const { server, cameras } = await livePage();
    const headers = await signedIn(server, CAROL.token);
    const remove = (id: string) => server.inject({ method: 'DELETE', url: `/cameras/${id}`, headers });
    const add = (id: string) =>
      server.inject({
        method: 'POST',
        url: '/cameras',
        headers,
        payload: { id, url: 'rtsp://127.0.0.1:9/' },
      });
    for (const request of [remove, add]) {
      const [existing, unknown] = [await request('secret-room'), await request('unknown')];
      expect(existing.statusCode).toBe(request === remove ? 404 : 403);
      expect([existing.statusCode, existing.body]).toEqual([unknown.statusCode, unknown.body]);
    }
    for (const [method, action] of [
      ['POST', 'pause'],
      ['POST', 'resume'],
      ['GET', 'areas'],
    ] as const) {
      const url = `/cameras/secret-room/${action}`;
      expect((await server.inject({ method, url, headers })).statusCode).toBe(404);
    }
    expect((await remove('secret%2Droom')).statusCode).toBe(404);
    expect((await remove('new')).statusCode).toBe(404);
    expect((await add('new')).statusCode).toBe(201);
    expect((await remove('lobby')).statusCode).toBe(204);
    expect(cameras.list().map(({ id }) => id)).toEqual(['secret-room', 'new']);
  });
});

describe('a change of the config', () => {
  test.each([
    ['who is removed', [ALICE]],
    ['whose token changes', [ALICE, { ...BOB, token: 'another-token-for-bob' }]],
  ])('ends the sessions and pages of a person %s', async (_, users) => {
    const { server, url, access } = await livePage();
    const [alice, bob] = [await signedIn(server, ALICE.token), await signedIn(server, BOB.token)];
    const [alicePage, bobPage] = [await openStream(url, alice), await openStream(url, bob)];
    const bearer = await openStream(url, { authorization: `Bearer ${BOB.token}` });
    await expect.poll(() => bobPage.text && bearer.text).toContain('hello');
    access.configure(HTTP, dashboardOptions.parse({ users }));
    await expect.poll(() => [bobPage.ended, bearer.ended]).toEqual([true, true]);
    expect((await openStream(url, bob)).status).toBe(401);
    expect((await signIn(server, BOB.token)).statusCode).toBe(401);
    expect((await openStream(url, alice)).status).toBe(200);
    expect(alicePage.ended).toBe(false);
  });

  test('to fewer rights applies to open pages and sessions at once', async () => {
    const { server, url, access } = await livePage();
    const headers = await signedIn(server, ALICE.token);
    const page = await openStream(url, headers);
    await expect.poll(() => page.text).toContain('secret-room');
    access.configure(
      HTTP,
      dashboardOptions.parse({ users: [{ ...ALICE, role: 'view', cameras: ['lobby'] }] }),
    );
    await expect.poll(() => page.ended).toBe(true);
    const again = await openStream(url, headers);
    await expect.poll(() => again.text).toContain('lobby/1/1');
    expect(again.text).not.toContain('secret-room');
    const remove = await server.inject({ method: 'DELETE', url: '/cameras/lobby', headers });
    expect(remove.statusCode).toBe(403);
  });

  test('that is not valid changes nothing', async () => {
    const { server, access } = await livePage();
    const users = [BOB, { name: 'dora', role: 'view', tokenFile: '/nonexistent/token' }];
    expect(() => access.configure(HTTP, dashboardOptions.parse({ users }))).toThrow(/dora cannot be read/);
    expect((await signIn(server, ALICE.token)).statusCode).toBe(200);
  });

  test('of a token file ends the sessions of the old token', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'austream-token-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'the-first-token-of-dora\n');
    let now = 0;
    const { server, close } = await serveLivePage({
      dashboard: { users: [{ name: 'dora', role: 'view', tokenFile }] },
      now: () => now,
    });
    cleanups.push(close);
    const headers = await signedIn(server, 'the-first-token-of-dora');
    writeFileSync(tokenFile, 'the-second-token-of-dora\n');
    now += 2_000;
    expect((await server.inject({ url: '/pictures/x', headers })).statusCode).toBe(401);
    expect((await signIn(server, 'the-first-token-of-dora')).statusCode).toBe(401);
    expect((await signIn(server, 'the-second-token-of-dora')).statusCode).toBe(200);
    rmSync(tokenFile);
    now += 2_000;
    expect((await signIn(server, 'the-second-token-of-dora')).statusCode).toBe(401);
  });
});

test('every change is logged with the person and the camera, and no token', async () => {
  const { server, logged } = await livePage();
  const headers = await signedIn(server, ALICE.token);
  const payload = { id: 'hall', url: 'rtsp://u:c4n4ry-camera@127.0.0.1:9/' };
  await server.inject({ method: 'POST', url: '/cameras', headers, payload });
  await server.inject({ method: 'DELETE', url: '/cameras/hall', headers });
  const lines = logged.mock.calls.map(([fields]) => fields);
  expect(lines).toContainEqual(
    expect.objectContaining({ person: 'alice', cameraId: 'hall', role: 'operate' }),
  );
  const text = JSON.stringify(logged.mock.calls);
  expect(text).toContain('alice added camera hall');
  expect(text).toContain('alice removed camera hall');
  for (const secret of [ALICE.token, headers.cookie.split('=')[1]!, headers['x-austream'], 'c4n4ry-camera'])
    expect(text).not.toContain(secret);
});

describe('a config is refused', () => {
  const refusal = (http: object, dashboard: object) => () =>
    new Access({ ...HTTP, ...http }, dashboardOptions.parse(dashboard));

  test.each([
    ['other machines reach the page and nobody is named', { host: '0.0.0.0' }, {}, /needs dashboard.users/],
    [
      'other machines reach an open page',
      { host: '0.0.0.0' },
      { open: true },
      /dashboard.open is for loopback/,
    ],
    ['an open page has a token', { token: ALICE.token }, { open: true }, /http.token does not/],
    ['an open page has people', {}, { open: true, users: [ALICE] }, /lets everyone in/],
    [
      'two people have one name',
      {},
      { users: [ALICE, { ...BOB, name: 'alice' }] },
      /also the name of users\[0\]/,
    ],
    [
      'two people have one token',
      {},
      { users: [ALICE, { ...BOB, token: ALICE.token }] },
      /also the token of users/,
    ],
    ['a person has http.token', { token: ALICE.token }, { users: [ALICE] }, /have the same token/],
    ['a token is short', {}, { users: [{ ...ALICE, token: 'short' }] }, /16 characters/],
    ['a person has no token', {}, { users: [{ name: 'x', role: 'view' }] }, /either token or tokenFile/],
    ['a role is unknown', {}, { users: [{ ...ALICE, role: 'admin' }] }, /view/],
    ['a person sees no camera', {}, { users: [{ ...ALICE, cameras: [] }] }, /must name a camera/],
    ['a name could forge a log line', {}, { users: [{ ...ALICE, name: 'a\nb' }] }, /letters, digits/],
    ['a name is reserved', {}, { users: [{ ...ALICE, name: 'link' }] }, /must not be one of/],
  ])('where %s', (_, http, dashboard, message) => {
    expect(refusal(http, dashboard)).toThrow(message);
    try {
      refusal(http, dashboard)();
    } catch (error) {
      expect(String(error)).not.toContain(ALICE.token);
    }
  });
});

test('the open pages of one person are bounded; others still get theirs', async () => {
  const { server, url } = await livePage();
  const [alice, bob] = [await signedIn(server, ALICE.token), await signedIn(server, BOB.token)];
  const streams = await Promise.all(Array.from({ length: 33 }, () => openStream(url, bob)));
  expect(streams.map(({ status }) => status).filter((status) => status === 503)).toHaveLength(1);
  expect((await openStream(url, alice)).status).toBe(200);
});
