import { createSocket, type Socket } from 'node:dgram';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { cameraOptions } from '../../../../src/camera/options.ts';
import { openRtspProxy } from '../../../../src/ingest/child/rtsp/proxy.ts';
import { Simulator } from '../../../../src/simulate/simulator.ts';
import { movingClip } from '../../clips.ts';
import { type Answer, HostileRtspServer, type RtspRequest } from '../../hostile-rtsp-server.ts';
import { Recorder } from '../../recorder.ts';

const CANARY = 'c4n4ry-of-the-camera';
const CREDENTIALS = { username: 'viewer', password: CANARY };
const BASE64 = Buffer.from(`viewer:${CANARY}`).toString('base64');
const BASIC = 'WWW-Authenticate: Basic realm="camera"';
const DIGEST = 'WWW-Authenticate: Digest realm="camera", nonce="0123456789abcdef"';
const SDP = ['v=0', 'o=- 0 0 IN IP4 127.0.0.1', 's=camera', 'c=IN IP4 0.0.0.0', 't=0 0', 'a=control:*'];
const VIDEO = ['m=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000'];

const servers: HostileRtspServer[] = [];
const cameras: Recorder[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  await Promise.all(cameras.splice(0).map(({ supervisor }) => supervisor.stop()));
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets.splice(0)) socket.close();
});

async function serve(
  answer: (request: RtspRequest, server: HostileRtspServer) => Answer | null,
): Promise<HostileRtspServer> {
  const server = await HostileRtspServer.start(answer);
  servers.push(server);
  return server;
}

/** A camera that answers everything with success; `special` may answer first. */
function camera(special: (request: RtspRequest, server: HostileRtspServer) => Answer | undefined) {
  return serve((request, server) => special(request, server) ?? usual(request));
}

function usual({ method }: RtspRequest, sdp = [...SDP, ...VIDEO, 'a=control:track1']): Answer {
  if (method === 'OPTIONS') return ['200 OK', ['Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN']];
  if (method === 'DESCRIBE') return ['200 OK', ['Content-Type: application/sdp'], `${sdp.join('\r\n')}\r\n`];
  if (method === 'SETUP') return ['200 OK', ['Session: 1', 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1']];
  return ['200 OK', ['Session: 1']];
}

/** A server that a camera has no business to send anyone to. */
function elsewhere(): Promise<HostileRtspServer> {
  return serve(() => ['401 Unauthorized', [BASIC]]);
}

function watch(url: string, options: Record<string, unknown> = {}): Recorder {
  const recorder = new Recorder({ url, ...CREDENTIALS, ...options }, { connectSeconds: 3 });
  cameras.push(recorder);
  return recorder;
}

async function failure(recorder: Recorder) {
  await recorder.until('a failure', () => recorder.state === 'RECONNECTING');
  return recorder.statuses.find(({ state }) => state === 'RECONNECTING')!;
}

describe('a redirect', () => {
  test.each([
    ['to another port', '301 Moved Permanently', (other: HostileRtspServer) => other.url()],
    ['to another host', '302 Found', (other: HostileRtspServer) => other.url('127.0.0.2')],
    ['with credentials', '302 Found', (other: HostileRtspServer) => other.url('a:b@127.0.0.2')],
    ['that hides its host', '302 Found', (other: HostileRtspServer) => other.url('127.0.0.1@127.0.0.2')],
    ['to HTTP', '302 Found', (other: HostileRtspServer) => other.url('127.0.0.2').replace('rtsp', 'http')],
    [
      'to RTSP over HTTP',
      '302 Found',
      (other: HostileRtspServer) => other.url('127.0.0.2').replace('rtsp', 'rtsph'),
    ],
    ['of another kind', '305 Use Proxy', (other: HostileRtspServer) => other.url('127.0.0.2')],
  ])('%s is refused, and nothing arrives there', async (_, status, location) => {
    const other = await elsewhere();
    const hostile = await camera(({ method }) =>
      method === 'DESCRIBE' ? [status, [`Location: ${location(other)}`]] : undefined,
    );
    const { cause, detail } = await failure(watch(hostile.url()));
    expect(other.received).toBe('');
    expect([cause, detail]).toEqual(['CAMERA_UNTRUSTED', expect.stringContaining('redirects')]);
  });

  test('after the password was asked for is refused, and the password stays', async () => {
    const other = await elsewhere();
    const hostile = await camera(({ method, headers }) =>
      method !== 'DESCRIBE'
        ? undefined
        : headers.authorization === undefined
          ? ['401 Unauthorized', [BASIC]]
          : ['302 Found', [`Location: ${other.url()}`]],
    );
    expect((await failure(watch(hostile.url()))).cause).toBe('CAMERA_UNTRUSTED');
    expect(hostile.received).toContain(BASE64);
    expect(other.received).toBe('');
  });

  test('within the camera is followed', async () => {
    const hostile = await camera(({ method, uri }, server) =>
      method === 'DESCRIBE' && uri.endsWith('/cam1')
        ? ['302 Found', [`Location: rtsp://viewer@127.0.0.1:${server.port}/moved`]]
        : undefined,
    );
    watch(hostile.url());
    await expect
      .poll(() => hostile.requests.find(({ method }) => method === 'PLAY')?.uri, { timeout: 30_000 })
      .toMatch(/\/moved/);
  });

  test('in a circle ends', async () => {
    const hostile = await camera(({ method }, server) =>
      method === 'DESCRIBE' ? ['302 Found', [`Location: ${server.url()}`]] : undefined,
    );
    const { cause } = await failure(watch(hostile.url()));
    expect(cause).toBe('CAMERA_UNTRUSTED');
  });
});

test('a request to redirect, sent while the camera plays, is not followed (RFC 2326, 10.10)', async () => {
  const other = await elsewhere();
  const hostile = await camera((request) =>
    request.method === 'PLAY'
      ? [
          '200 OK',
          [
            'Session: 1',
            'Content-Length: 0',
            '',
            `REDIRECT * RTSP/1.0\r\nCSeq: 9\r\nLocation: ${other.url()}`,
          ],
        ]
      : undefined,
  );
  await failure(watch(hostile.url()));
  expect(hostile.requests.some(({ method }) => method === 'PLAY')).toBe(true);
  expect(other.received).toBe('');
});

test('the proxy serves its own rtspsrc only: other users of the host can reach its port', async () => {
  const hostile = await camera(() => undefined);
  const options = cameraOptions.parse({ id: 'cam', url: hostile.url(), ...CREDENTIALS });
  const proxy = await openRtspProxy(options, null, { failed: () => {}, sendsPassword: () => {} });
  const ask = async (userAgent: string) => {
    const [host, port] = proxy.endpoint.split(':');
    const socket = connect(Number(port), host);
    socket.write(`DESCRIBE ${hostile.url()} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: ${userAgent}\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) {
      text += chunk;
      break;
    }
    return text;
  };
  expect(await ask('GStreamer/1.22.0')).toBe('');
  expect(hostile.received).toBe('');
  expect(await ask(proxy.userAgent)).toContain('200 OK');
});

describe('a description that names another host', () => {
  const cases: [string, (other: HostileRtspServer) => Answer][] = [
    [
      'in Content-Base',
      (other) => [
        '200 OK',
        ['Content-Type: application/sdp', `Content-Base: ${other.url('127.0.0.2')}/`],
        text(),
      ],
    ],
    [
      'in Content-Location',
      (other) => [
        '200 OK',
        ['Content-Type: application/sdp', `Content-Location: ${other.url('127.0.0.2')}/`],
        text(),
      ],
    ],
    [
      'in the session’s control URL',
      (other) =>
        usual(describeRequest, [...SDP.slice(0, -1), `a=control:${other.url('127.0.0.2')}`, ...VIDEO]),
    ],
    [
      'in the video’s control URL',
      (other) => usual(describeRequest, [...SDP, ...VIDEO, `a=control:${other.url('127.0.0.2')}/track1`]),
    ],
    [
      'in control URLs without aggregate control',
      (other) =>
        usual(describeRequest, [...SDP.slice(0, -1), ...VIDEO, `a=control:${other.url('127.0.0.2')}/track1`]),
    ],
  ];
  const describeRequest = { method: 'DESCRIBE', uri: '', headers: {} };
  const text = () => `${[...SDP, ...VIDEO, 'a=control:track1'].join('\r\n')}\r\n`;

  test.each(cases)('%s is asked there for nothing', async (_, description) => {
    const other = await elsewhere();
    const hostile = await camera(({ method, headers }) =>
      method !== 'DESCRIBE'
        ? undefined
        : headers.authorization === undefined
          ? ['401 Unauthorized', [DIGEST]]
          : description(other),
    );
    watch(hostile.url());
    await expect
      .poll(() => hostile.requests.some(({ method }) => method === 'PLAY'), { timeout: 30_000 })
      .toBe(true);
    expect(other.received).toBe('');
    // A digest for another host's URI could be used there.
    const hosts = hostile.requests.map(({ uri }) => new URL(uri.replace('rtsp:', 'http:')).host);
    expect(new Set(hosts)).toEqual(new Set([`127.0.0.1:${hostile.port}`]));
  });
});

/** A UDP port that a camera has no business to send anyone to, and the packets that it got. */
async function portElsewhere() {
  const socket = createSocket('udp4');
  sockets.push(socket);
  const packets: Buffer[] = [];
  socket.on('message', (packet) => packets.push(packet));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.2', resolve));
  return { port: socket.address().port, packets };
}

test('a description that names a clock gets no packet to that clock (RFC 7273)', async () => {
  const { port, packets } = await portElsewhere();
  const clock = [`a=ts-refclk:ntp=127.0.0.2:${port}`, 'a=mediaclk:direct=0'];
  const hostile = await camera((request) =>
    request.method === 'DESCRIBE'
      ? usual(request, [...SDP, ...VIDEO, ...clock, 'a=control:track1'])
      : undefined,
  );
  await failure(watch(hostile.url()));
  expect(hostile.requests.some(({ method }) => method === 'PLAY')).toBe(true);
  expect(packets).toEqual([]);
});

describe('a transport that names another host', () => {
  test('gets no packet there', async () => {
    const { port, packets } = await portElsewhere();
    const hostile = await camera(({ method, headers }) =>
      method === 'SETUP'
        ? [
            '200 OK',
            [
              'Session: 1',
              `Transport: ${headers.transport};server_port=${port}-${port};source=127.0.0.2;destination=127.0.0.2`,
            ],
          ]
        : undefined,
    );
    const recorder = watch(hostile.url(), { transport: 'udp' });
    // Without packets the camera fails after it has played; by then rtspsrc has sent RTCP reports.
    await failure(recorder);
    expect(hostile.requests.some(({ method }) => method === 'PLAY')).toBe(true);
    expect(packets).toEqual([]);
  });

  test.each([
    ['udp', 'RTP/AVP;multicast;destination=239.1.2.3;port=5000-5001;ttl=16'],
    ['tcp', 'RTP/AVP;unicast;client_port=5000-5001;server_port=5002-5003;source=127.0.0.2'],
  ])('of another kind than %s is refused', async (transport, given) => {
    const hostile = await camera(({ method }) =>
      method === 'SETUP' ? ['200 OK', ['Session: 1', `Transport: ${given}`]] : undefined,
    );
    expect(await failure(watch(hostile.url(), { transport }))).toMatchObject({
      cause: 'CAMERA_UNTRUSTED',
      detail: expect.stringContaining('transport'),
    });
  });
});

describe('with auth: digest', () => {
  test.each([
    ['that offers only Basic', [BASIC]],
    ['that offers Basic with an empty realm', ['WWW-Authenticate: basic']],
    [
      'that offers a Digest nobody knows',
      ['WWW-Authenticate: Digest realm="r", nonce="n", algorithm=ROT13', BASIC],
    ],
  ])('a camera %s never gets the password', async (_, challenges) => {
    const hostile = await camera(({ method }) =>
      method === 'DESCRIBE' ? ['401 Unauthorized', challenges] : undefined,
    );
    const { cause, detail } = await failure(watch(hostile.url(), { auth: 'digest' }));
    expect([cause, detail]).toEqual(['CAMERA_UNTRUSTED', expect.stringContaining('auth: digest')]);
    expect(hostile.received).not.toMatch(/authorization/i);
    expect(hostile.received).not.toContain(CANARY);
  });

  test('a camera that switches to Basic later never gets the password', async () => {
    const hostile = await camera(({ method, headers }) =>
      method === 'SETUP'
        ? ['401 Unauthorized', [BASIC]]
        : method === 'DESCRIBE' && headers.authorization === undefined
          ? ['401 Unauthorized', [DIGEST]]
          : undefined,
    );
    expect((await failure(watch(hostile.url(), { auth: 'digest' }))).cause).toBe('CAMERA_UNTRUSTED');
    expect(hostile.received).toContain('Authorization: Digest');
    expect(hostile.received).not.toContain('Basic ');
  });
});

test('a challenge is answered once: a wrong password does not lock the account', async () => {
  const hostile = await camera(() => ['401 Unauthorized', [DIGEST]]);
  expect((await failure(watch(hostile.url()))).cause).toBe('CAMERA_UNAUTHORIZED');
  const answers = hostile.requests.filter(({ headers }) => headers.authorization !== undefined);
  expect(answers.length).toBeLessThanOrEqual(2);
});

test('a camera that gets the password itself without TLS says so in its status', async () => {
  const source = fileURLToPath(movingClip('basic.mp4', { frames: 25 }));
  const simulator = await Simulator.start({
    sources: [source],
    user: 'viewer',
    password: CANARY,
    auth: 'basic',
  });
  try {
    const recorder = watch(simulator.urls[0]!);
    await recorder.frames(2);
    expect(recorder.statuses.at(-1)!.detail).toMatch(/gets the password unencrypted/);
    const careful = watch(simulator.urls[0]!, { id: 'careful', auth: 'digest' });
    expect((await failure(careful)).cause).toBe('CAMERA_UNTRUSTED');
  } finally {
    await simulator.stop();
  }
});
