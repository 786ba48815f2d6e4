import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { cameraOptions } from '../../src/camera/options.ts';
import { OnvifClient } from '../../src/onvif/client.ts';
import { discover } from '../../src/onvif/discover.ts';
import { describeResolved, resolveCamera } from '../../src/onvif/resolve.ts';
import { OnvifDevice } from '../../src/simulate/onvif/device.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { python } from '../broker/python.ts';
import { movingClip } from '../ingest/clips.ts';
import { Recorder } from '../ingest/recorder.ts';

const SECRET = 'c4nary & <sécret>';
const clip = fileURLToPath(movingClip('onvif.mp4', { frames: 25, fps: 5, width: 160, height: 120 }));
const start = (onvifPort = 0) =>
  Simulator.start({
    sources: [clip],
    cameras: 2,
    user: 'vié & w',
    password: SECRET,
    onvif: { port: onvifPort },
  });
const camera = (url: string, more: object = {}) =>
  cameraOptions.parse({ id: 'cam', url, username: 'vié & w', password: SECRET, ...more });

describe('a device', () => {
  let simulator: Simulator;
  let device: OnvifDevice;
  beforeAll(async () => {
    simulator = await start();
    device = simulator.devices[0]!;
  });
  afterAll(() => simulator?.stop());
  beforeEach(() =>
    Object.assign(device, { clockOffset: 0, reportsTime: true, reportedHost: null, media2: true }),
  );

  test.each([true, false])(
    'returns its stream, with the newer media service (media2): %s',
    async (media2) => {
      device.media2 = media2;
      const resolved = await resolveCamera(camera(device.url));
      expect(resolved.camera.url).toBe(simulator.urls[0]);
      expect(resolved.profile).toMatchObject({ name: 'main', codec: 'h264', width: 160, height: 120 });
      expect(Math.abs(resolved.clock!.offsetMs)).toBeLessThanOrEqual(resolved.clock!.errorMs);
      expect(describeResolved(resolved)).not.toContain('c4nary');
    },
  );

  test('with a wrong clock accepts requests signed with its own time, and the clock error is reported', async () => {
    device.clockOffset = 3600;
    const { clock } = await resolveCamera(camera(device.url));
    expect(Math.abs(clock!.offsetMs - 3_600_000)).toBeLessThanOrEqual(clock!.errorMs);
    await expect(resolveCamera(camera(device.url, { password: 'wrong' }))).rejects.toMatchObject({
      code: 'CAMERA_UNAUTHORIZED',
      message: expect.stringMatching(/its clock is 3\d\d\d\.\d s ahead/),
    });
    device.reportsTime = false;
    await expect(resolveCamera(camera(device.url))).rejects.toMatchObject({
      code: 'CAMERA_UNAUTHORIZED',
      message: expect.stringContaining('does not report its time'),
      fix: expect.stringContaining('NTP'),
    });
  });

  test('behind NAT is reached at the configured host', async () => {
    device.reportedHost = '10.9.8.7';
    const resolved = await resolveCamera(camera(device.url));
    expect(resolved.camera.url).toBe(simulator.urls[0]);
    expect(resolved.otherHost).toBe('10.9.8.7');
  });

  test('rejects a missing or wrong password', async () => {
    const without = cameraOptions.parse({ id: 'cam', url: device.url });
    await expect(resolveCamera(without)).rejects.toMatchObject({
      code: 'CAMERA_UNAUTHORIZED',
      message: expect.stringContaining('asks for a user name'),
    });
    await expect(resolveCamera(camera(device.url, { password: 'wrong' }))).rejects.toMatchObject({
      code: 'CAMERA_UNAUTHORIZED',
      message: expect.stringContaining('rejects'),
    });
  });

  test('is discovered, with its clock, without a password', async () => {
    const discovered = async () => {
      const found = await discover({ timeoutMs: 1_000, interface: 'lo' });
      return simulator.devices.map(({ url }) => found.find((other) => other.url === url));
    };
    const first = {
      name: 'camera 1',
      id: `urn:uuid:${device.uuid}`,
      clock: { offsetMs: expect.any(Number), errorMs: expect.any(Number) },
    };
    await expect
      .poll(discovered, { timeout: 60_000 })
      .toEqual([expect.objectContaining(first), ...simulator.devices.slice(1).map(() => expect.anything())]);
    await expect(discover({ timeoutMs: 1, interface: 'nope' })).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
    });
  });

  test('works with independent clients: zeep with ONVIF’s own WSDLs, and WSDiscovery', async () => {
    const script = fileURLToPath(new URL('read_device.py', import.meta.url));
    const { stdout } = await promisify(execFile)(
      await python(),
      [script, device.host, String(device.port), 'vié & w', SECRET],
      { timeout: 60_000 },
    );
    expect(JSON.parse(stdout)).toMatchObject({
      model: 'simulated camera',
      profile: { name: 'main', encoding: 'H264', width: 160, height: 120 },
      uri: simulator.urls[0],
      rejected: true,
      discovered: expect.arrayContaining([device.serviceUrl]),
      scopes: expect.arrayContaining(['onvif://www.onvif.org/name/camera%201']),
    });
  }, 120_000);
});

describe('a server that is not an ONVIF device is rejected', () => {
  /** Starts a server that answers every request with `answer`; returns its port. */
  async function serve(answer: (response: ServerResponse) => void): Promise<number> {
    const server = createServer((_request, response) => answer(response)).listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  test('because it returns a web page', async () => {
    const port = await serve((response) => response.end('<html>hello</html>'));
    await expect(resolveCamera(camera(`onvif://127.0.0.1:${port}`))).rejects.toMatchObject({
      code: 'CAMERA_NOT_ONVIF',
    });
  });

  test('because it returns an XML bomb: entities are never expanded', async () => {
    // x9 expands to a billion letters.
    const levels = Array.from({ length: 9 }, (_, n) => `<!ENTITY x${n + 1} "${`&x${n};`.repeat(10)}">`);
    const answer = (zone: string) => `<!DOCTYPE Envelope [<!ENTITY x0 "x">${levels.join('')}]>
      <Envelope><Body><GetSystemDateAndTimeResponse><SystemDateAndTime><TimeZone><TZ>${zone}</TZ></TimeZone>
      <UTCDateTime><Time><Hour>1</Hour><Minute>2</Minute><Second>3</Second></Time>
      <Date><Year>2026</Year><Month>1</Month><Day>2</Day></Date></UTCDateTime>
      </SystemDateAndTime></GetSystemDateAndTimeResponse></Body></Envelope>`;
    const clock = async (zone: string) => {
      const port = await serve((response) => response.end(answer(zone)));
      return new OnvifClient({ host: '127.0.0.1', port, path: '/', profile: undefined }, {}).clock();
    };
    expect(await clock('x')).not.toBeNull();
    for (const zone of ['&x0;', '&x9;'])
      await expect(clock(zone)).rejects.toMatchObject({ code: 'CAMERA_NOT_ONVIF' });
  });

  test('because its response never ends: only the first 2 MB are read', async () => {
    const CHUNK = Buffer.alloc(2 ** 18, 'x');
    const sent: number[] = [];
    const port = await serve((response) => {
      const index = sent.push(0) - 1;
      const sending = setInterval(() => {
        response.write(CHUNK);
        sent[index]! += CHUNK.length;
      }, 20);
      response.once('close', () => clearInterval(sending));
    });
    await expect(resolveCamera(camera(`onvif://127.0.0.1:${port}`))).rejects.toMatchObject({
      code: 'CAMERA_NOT_ONVIF',
    });
    expect(sent.length).toBeGreaterThan(0);
    expect(Math.max(...sent)).toBeLessThan(2 ** 22);
  });
});

test('a camera reconnects after its stream URL has changed, by asking the device again', async () => {
  let simulator = await start();
  const [device] = simulator.devices;
  const { host, port, url } = device!;
  const recorder = new Recorder(camera(url));
  onTestFinished(async () => {
    await recorder.supervisor.stop();
    await simulator.stop();
  });
  await recorder.until('LIVE', () => recorder.state === 'LIVE', 60_000);
  expect(recorder.statuses.at(-1)!.detail).toContain('ONVIF profile main (160×120 h264)');
  const before = simulator.urls[0];
  await simulator.stop();
  await recorder.until('not LIVE', () => recorder.state !== 'LIVE', 60_000);
  simulator = await start();
  await simulator.devices[0]!.stop();
  const moved = { ...simulator.devices[1]!.profiles[0]!, uri: simulator.urls[1]! };
  const restarted = await OnvifDevice.start({
    name: 'moved',
    host,
    port,
    user: 'vié & w',
    password: SECRET,
    profiles: [moved],
  });
  onTestFinished(() => restarted.stop());
  expect(moved.uri).not.toBe(before);
  await recorder.until('LIVE again', () => recorder.state === 'LIVE', 60_000);
  expect(JSON.stringify(recorder.statuses)).not.toContain('c4nary');
}, 120_000);
