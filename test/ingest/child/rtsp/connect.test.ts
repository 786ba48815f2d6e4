import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Simulator } from '../../../../src/simulate/simulator.ts';
import { movingClip } from '../../clips.ts';
import { Recorder } from '../../recorder.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-tls-'));
const certificate = join(folder, 'camera.pem');
const CANARY = 'tls-c4nary';
let simulator: Simulator;
let server: Server;
let url: string;
let fingerprint: string;
let camera: Recorder | undefined;
/** Decrypted bytes that the camera received in this test. */
let received: Buffer[];

/** An rtsps:// camera: the simulator behind TLS with a self-signed certificate. */
beforeAll(async () => {
  const key = join(folder, 'key.pem');
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=camera',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      key,
      '-out',
      certificate,
    ],
    { stdio: 'pipe' },
  );
  fingerprint = new X509Certificate(readFileSync(certificate)).fingerprint256;
  simulator = await Simulator.start({
    sources: [fileURLToPath(movingClip('tls.mp4'))],
    user: 'viewer',
    password: CANARY,
  });
  server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (encrypted) => {
    const plain = connect(simulator.port, '127.0.0.1');
    encrypted.on('error', () => plain.destroy());
    plain.on('error', () => encrypted.destroy());
    const chunks = received;
    encrypted.on('data', (chunk: Buffer) => chunks.push(chunk));
    plain.pipe(encrypted).pipe(plain);
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `rtsps://127.0.0.1:${(server.address() as AddressInfo).port}/cam1`;
});

beforeEach(() => {
  received = [];
});

afterEach(() => camera?.supervisor.stop());

afterAll(async () => {
  server?.close();
  await simulator?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('a camera behind TLS', () => {
  test.each([
    ['with its CA in the config', () => ({ ca: certificate })],
    ['with a pinned certificate', () => ({ fingerprint })],
  ])('%s is connected', async (_, tls) => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, `${CANARY}\n`);
    camera = new Recorder({ url, tls: tls(), username: 'viewer', passwordFile });
    await camera.frames(10);
    expect(camera.statuses.at(-1)).toMatchObject({ state: 'LIVE', codec: 'h264' });
    expect(JSON.stringify(camera.statuses)).not.toContain(CANARY);
    expect(String(Buffer.concat(received))).toContain('username="viewer"');
  });

  test.each([
    ['with an untrusted certificate', () => ({}), 'CAMERA_UNTRUSTED', 'tls.fingerprint to'],
    [
      'with another certificate than the pinned one',
      () => ({ fingerprint: fingerprint.replace(/^../, (byte) => (byte === '00' ? '01' : '00')) }),
      'CAMERA_UNTRUSTED',
      'not the pinned one',
    ],
    [
      'whose CA file cannot be read',
      () => ({ ca: '/nowhere/ca.pem' }),
      'CAMERA_UNTRUSTED',
      '/nowhere/ca.pem',
    ],
  ])('%s is rejected before the password is sent', async (_, tls, code, detail) => {
    camera = new Recorder({ url, tls: tls(), username: 'viewer', password: CANARY });
    await camera.until('a failed connection', () => camera!.state === 'RECONNECTING');
    expect(camera.statuses.at(-1)).toMatchObject({ cause: code, detail: expect.stringContaining(detail) });
    expect(received).toEqual([]);
  });

  test('that speaks no TLS is reported', async () => {
    camera = new Recorder({ url: simulator.urls[0]!.replace('rtsp:', 'rtsps:') });
    await camera.until('a failed connection', () => camera!.state === 'RECONNECTING');
    expect(camera.statuses.at(-1)).toMatchObject({
      cause: 'CAMERA_UNTRUSTED',
      detail: expect.stringContaining('no TLS'),
    });
  });

  test('whose password file does not exist is reported', async () => {
    camera = new Recorder({
      url,
      tls: { ca: certificate },
      username: 'viewer',
      passwordFile: '/nowhere/password',
    });
    await camera.until('a failed connection', () => camera!.state === 'RECONNECTING');
    expect(camera.statuses.at(-1)).toMatchObject({
      cause: 'CAMERA_UNAUTHORIZED',
      detail: expect.stringContaining('/nowhere/password'),
    });
  });
});
