import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CROP_BYTES } from '../../src/domain/face.ts';
import { faceCrop, frameOf } from '../infer/faces.ts';
import { generatedFrame, generatedStatus } from './generated.ts';
import { serveLivePage } from './serve.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function dashboard(options: Parameters<typeof serveLivePage>[0] = {}) {
  const served = await serveLivePage(options);
  cleanups.push(served.close);
  return served;
}

test('serves the page with a Content-Security-Policy that allows only its own origin', async () => {
  const { url } = await dashboard();
  const response = await fetch(url);
  expect(response.status).toBe(200);
  const policy = response.headers.get('content-security-policy')!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  const html = await response.text();
  expect(html).not.toMatch(/https?:\/\//);
  for (const [, asset] of html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g))
    expect((await fetch(url + asset)).status, asset).toBe(200);
});

test('a change of a camera’s state is sent at once, not with the next tick', async () => {
  // The fake timers never fire.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  cleanups.push(async () => vi.useRealTimers());
  const { store, url } = await dashboard();
  store.updateCamera(generatedStatus('cam', 'LIVE'));
  const response = await fetch(`${url}/events`);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  cleanups.push(() => reader.cancel());
  const next = async () => JSON.parse((await reader.read()).value!.replace(/^data: /, ''));
  expect((await next()).type).toBe('hello');
  for (const state of ['RECONNECTING', 'LIVE', 'STALLED'] as const) {
    store.addFrames([
      generatedFrame({ cameraId: 'cam', trackId: 1, frame: 1, receivedAt: Date.now() * 1_000 }),
    ]);
    store.updateCamera(generatedStatus('cam', state));
    expect((await next()).cameras).toMatchObject([{ id: 'cam', state }]);
  }
});

test('a page that does not read causes no backlog, and gets the newest state when it reads again', async () => {
  // Ticks are advanced by hand.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  cleanups.push(async () => vi.useRealTimers());
  const { store, url } = await dashboard();
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  cleanups.push(async () => socket.destroy());
  await once(socket, 'connect');
  socket.write(`GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n`);
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  await expect.poll(() => text.includes('"hello"')).toBe(true);
  socket.pause();

  // Far more than the socket buffers hold: a full message, about 430 kB, at every tick.
  const start = Date.now() * 1_000;
  let frame = 0;
  for (let tick = 0; tick < 100; tick++) {
    for (let n = 0; n < 40; n++, frame++)
      for (let trackId = 1; trackId <= 100; trackId++)
        store.addFrames([
          generatedFrame({ cameraId: 'cam', trackId, frame, receivedAt: start + frame * 1_000 }),
        ]);
    vi.advanceTimersByTime(100);
    await setImmediate();
  }
  text = '';
  socket.resume();
  const newest = String(Math.round((start + (frame - 1) * 1_000) / 1_000));
  await expect
    .poll(() => {
      vi.advanceTimersByTime(100);
      return text.includes(newest);
    })
    .toBe(true);
  // All messages together would be about 43 MB.
  expect(text.length).toBeLessThan(15_000_000);
}, 60_000);

describe('cameras', () => {
  const OWN_HEADER = { 'x-austream': 'test' };
  /** Nothing listens at this address, so the camera keeps reconnecting. */
  const DOOR = { id: 'door', url: 'rtsp://admin:in-the-url@127.0.0.1:9/stream', password: 'beside-it' };

  test('are added and removed; credentials are never sent back', async () => {
    const { server, store, cameras } = await dashboard();
    const cursor = store.openCursor();
    const add = { method: 'POST', path: '/cameras', headers: OWN_HEADER, payload: DOOR } as const;
    const added = await server.inject(add);
    expect(added.statusCode).toBe(201);
    expect(cameras.list()).toMatchObject([{ id: 'door', url: 'rtsp://127.0.0.1:9/stream' }]);
    const shown = cursor.next()!;
    expect(shown.cameras.map(({ id }) => id)).toEqual(['door']);

    const again = await server.inject(add);
    expect(again.statusCode).toBe(409);
    expect(again.json()).toEqual({ fields: { id: 'a camera with this name already exists' } });

    const removed = await server.inject({ method: 'DELETE', path: '/cameras/door', headers: OWN_HEADER });
    expect(removed.statusCode).toBe(204);
    expect(cameras.list()).toEqual([]);
    const last = cursor.next()!;
    expect(last).toMatchObject({ cameras: [], removed: ['door'] });
    const unknown = await server.inject({ method: 'DELETE', path: '/cameras/door', headers: OWN_HEADER });
    expect(unknown.statusCode).toBe(404);
    expect(added.body + again.body + JSON.stringify([shown, last])).not.toMatch(/in-the-url|beside-it/);
  });

  test('may be added by their ONVIF address', async () => {
    const { server, cameras } = await dashboard();
    const payload = { id: 'door', url: 'onvif://127.0.0.1:9' };
    const added = await server.inject({ method: 'POST', path: '/cameras', headers: OWN_HEADER, payload });
    expect(added.statusCode).toBe(201);
    expect(cameras.list()).toMatchObject([{ id: 'door', url: 'onvif://127.0.0.1:9' }]);
  });

  test.each([
    ['no name and no URL', {}, ['id', 'url']],
    ['a name with a slash', { ...DOOR, id: 'a/b' }, ['id']],
    ['a URL of a file on this machine', { ...DOOR, url: 'file:///etc/passwd' }, ['url']],
    ['a URL of a device of this machine', { ...DOOR, url: 'v4l2:///dev/video0' }, ['url']],
    ['a URL without a host', { ...DOOR, url: 'rtsp:///x' }, ['url']],
    [
      'an unescaped slash in the URL’s password',
      { ...DOOR, url: 'rtsp://a:in-the-url/@127.0.0.1/' },
      ['url'],
    ],
    ['an ONVIF URL with an unknown parameter', { ...DOOR, url: 'onvif://127.0.0.1/?stream=1' }, ['url']],
    ['a password file of this machine', { ...DOOR, passwordFile: '/etc/shadow' }, []],
    ['an array', [DOOR], ['id', 'url']],
  ])('are refused: %s', async (_, payload, fields) => {
    const { server, cameras } = await dashboard();
    const refused = await server.inject({ method: 'POST', path: '/cameras', headers: OWN_HEADER, payload });
    expect(refused.statusCode).toBe(400);
    expect(Object.keys(refused.json().fields)).toEqual(fields);
    expect(refused.body).not.toMatch(/in-the-url|beside-it/);
    expect(cameras.list()).toEqual([]);
  });
});

describe('crops', () => {
  test('are not kept without showVideo', async () => {
    const { store, url } = await dashboard();
    store.updateCamera(generatedStatus('cam', 'LIVE'));
    store.addCrops(frameOf([faceCrop({ frame: 1 })]));
    expect((await fetch(`${url}/pictures/cam%2F0%2F1`)).status).toBe(404);
  });

  test('are served while the face is in sight, and never cached', async () => {
    const { store, url } = await dashboard({ showVideo: true });
    store.updateCamera(generatedStatus('cam', 'LIVE'));
    store.addCrops(frameOf([faceCrop({ frame: 1, shade: 7 })]));
    const response = await fetch(`${url}/pictures/cam%2F0%2F1`);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(bytes).toEqual(new Uint8Array(CROP_BYTES).fill(7));
    store.addCrops(frameOf([faceCrop({ frame: 2, trackId: 2 })], [1]));
    expect((await fetch(`${url}/pictures/cam%2F0%2F1`)).status).toBe(404);
  });
});
