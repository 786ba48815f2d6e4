import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { allowedSecrets, allowedSources, type CameraOrigin } from '../../../src/camera/allow-list.ts';
import { cameraOptions } from '../../../src/camera/options.ts';
import { detectOptions } from '../../../src/detect/options.ts';
import type { CameraStatus } from '../../../src/domain/camera-status.ts';
import { CameraSet } from '../../../src/ingest/host/camera-set.ts';
import { ingestOptions } from '../../../src/ingest/options.ts';

/** Cameras that others define: a host of the attacker receives what the worker sends. */
const dir = mkdtempSync(join(tmpdir(), 'austream-guests-'));
const CANARY = 'c4n4ry-worker-key';
let server: Server;
let address: string;
let received = '';
let set: CameraSet;
const statuses: CameraStatus[] = [];

beforeAll(async () => {
  writeFileSync(join(dir, 'worker.key'), CANARY);
  process.env.AUSTREAM_TEST_CANARY = CANARY;
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      // Basic: the password would follow in clear.
      const cseq = /CSeq: *(\d+)/i.exec(text)?.[1];
      socket.write(`RTSP/1.0 401 Unauthorized\r\nCSeq: ${cseq}\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await set.close();
  statuses.length = 0;
  received = '';
});
afterAll(() => {
  server.close();
  delete process.env.AUSTREAM_TEST_CANARY;
  rmSync(dir, { recursive: true });
});

function openSet(secrets: object, sources: object): CameraSet {
  set = new CameraSet(
    {
      ingest: ingestOptions.parse({ backoff: { firstSeconds: 0.1, maxSeconds: 1 } }),
      detect: detectOptions.parse({}),
      allowed: { secrets: allowedSecrets.parse(secrets), sources: allowedSources.parse(sources) },
      entry: fileURLToPath(new URL('../children/plain.ts', import.meta.url)),
    },
    { faces: () => {}, epochEnded: () => {}, status: (status) => void statuses.push(status) },
  );
  return set;
}

async function statusOf(id: string, cause: string): Promise<CameraStatus> {
  const find = () => statuses.find((status) => status.cameraId === id && status.cause === cause);
  await expect.poll(find, { timeout: 30_000 }).toBeDefined();
  return find()!;
}

const LOOPBACK = { networks: ['127.0.0.0/8'] };
/** What the attacker's server received, with Basic credentials decoded. */
const decoded = () =>
  received.replace(/Basic (\S+)/g, (_, text: string) => Buffer.from(text, 'base64').toString());

test.each([
  ['topic', { passwordFile: join(dir, 'worker.key') }],
  ['socket', { passwordFile: join(dir, 'worker.key') }],
  ['topic', { password: `\${file:${join(dir, 'worker.key')}}` }],
  ['topic', { password: '${AUSTREAM_TEST_CANARY}' }],
] as [CameraOrigin, object][])(
  'a camera of the %s with %j shows why it is refused; nothing is sent, others run',
  async (origin, secret) => {
    openSet({}, LOOPBACK);
    const options = { url: `rtsp://${address}/`, username: 'x' };
    await set.add(cameraOptions.parse({ id: 'thief', ...options, ...secret }), origin);
    await set.add(cameraOptions.parse({ id: 'honest', ...options, password: 'own-password' }), origin);
    const status = await statusOf('thief', 'CAMERA_NOT_ALLOWED');
    expect(status).toMatchObject({
      state: 'RECONNECTING',
      detail: expect.stringContaining('cluster.secrets.'),
    });
    await statusOf('honest', 'CAMERA_UNAUTHORIZED');
    expect(decoded()).toContain('x:own-password');
    expect(decoded() + JSON.stringify(statuses)).not.toContain(CANARY);
  },
);

test('an allowed secret goes only to the hosts that may receive it', async () => {
  openSet({ dir, hosts: ['10.0.0.0/8'] }, LOOPBACK);
  const options = { url: `rtsp://${address}/`, username: 'x', passwordFile: 'worker.key' };
  await set.add(cameraOptions.parse({ id: 'thief', ...options }), 'topic');
  const { detail } = await statusOf('thief', 'CAMERA_NOT_ALLOWED');
  expect(detail).toContain('cluster.secrets.hosts does not allow a camera at 127.0.0.1');
  expect(received).toBe('');
  await set.close();
  openSet({ dir, hosts: ['127.0.0.1'] }, LOOPBACK);
  await set.add(cameraOptions.parse({ id: 'honest', ...options }), 'topic');
  await statusOf('honest', 'CAMERA_UNAUTHORIZED');
  expect(decoded()).toContain(`x:${CANARY}`);
});

test.each([
  ['rtsp', `rtsp://HOST/`],
  ['rtsps', `rtsps://HOST/`],
  ['onvif', `onvif://HOST/admin`],
  ['a name', `rtsp://localhost:PORT/`],
  ['another notation', `rtsp://0x7f.1:PORT/`],
  ['a URL that parsers read differently', `rtsp://10.0.0.1#@HOST/`],
])('the topic and the page cannot make a worker connect to itself: %s', async (_, url) => {
  openSet({}, {});
  const [, port] = address.split(':');
  const camera = { url: url.replace('HOST', address).replace('PORT', port!) };
  await set.add(cameraOptions.parse({ id: 'a', ...camera }), 'topic');
  await set.add(cameraOptions.parse({ id: 'b', ...camera }), 'page');
  await Promise.all([statusOf('a', 'CAMERA_NOT_ALLOWED'), statusOf('b', 'CAMERA_NOT_ALLOWED')]);
  expect(received).toBe('');
});

test('a file of the worker is not a source, unless the config names it', async () => {
  openSet({}, {});
  await set.add(cameraOptions.parse({ id: 'a', url: `file://${join(dir, 'worker.key')}` }), 'topic');
  expect(await statusOf('a', 'CAMERA_NOT_ALLOWED')).toMatchObject({
    state: 'STOPPED',
    detail: expect.stringContaining('cluster.sources.paths'),
  });
});
