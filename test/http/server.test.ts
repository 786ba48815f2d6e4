import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import type { HttpOptions } from '../../src/http/options.ts';
import { createHttpServer } from '../../src/http/server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server with a GET and a POST route. */
function serverWith(options: Partial<HttpOptions> = {}, limits?: Parameters<typeof createHttpServer>[1]) {
  const server = createHttpServer({ host: '127.0.0.1', port: 0, ...options }, limits);
  server.get('/metrics', () => 'metrics');
  server.post('/change', () => 'changed');
  cleanups.push(() => server.close());
  return server;
}

async function listen(server: FastifyInstance): Promise<number> {
  await server.listen({ host: '127.0.0.1', port: 0 });
  return (server.server.address() as AddressInfo).port;
}

/** A connection; `text` is what it received, `closed` resolves when the server closed it. */
async function dial(port: number, localAddress = '127.0.0.1') {
  const socket: Socket = connect({ port, host: '127.0.0.1', localAddress });
  cleanups.push(() => socket.destroy());
  const received = { text: '', isClosed: false };
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    received.text += chunk;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    received.isClosed = true;
  });
  await once(socket, 'connect');
  return { socket, received };
}

describe('a Host header with another name (DNS rebinding)', () => {
  const FORGED = [
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    'localhost@evil.example',
    'evil.example#localhost',
    '127.0.0.1.evil.example',
    '127.0.0.1:80@evil.example',
    '0x7f.0.0.1.evil.example',
    '[::1].evil.example',
    'localhost,evil.example',
  ];

  test.each(FORGED)('%j is refused on the loopback, for every route', async (host) => {
    const server = serverWith();
    for (const url of ['/metrics', '/unknown']) {
      const response = await server.inject({ url, headers: { host } });
      expect(response.statusCode).toBe(403);
      expect(response.body).toContain('http.hosts');
    }
  });

  test.each(['localhost', 'localhost:8080', 'LOCALHOST', '127.0.0.1:9', '[::1]:80', '10.1.2.3:8080'])(
    '%j is accepted: an address cannot be rebound',
    async (host) => {
      expect((await serverWith().inject({ url: '/metrics', headers: { host } })).statusCode).toBe(200);
    },
  );

  test('is accepted when http.hosts names it', async () => {
    const server = serverWith({ hosts: ['Cams.example.com'] });
    const status = async (host: string) =>
      (await server.inject({ url: '/metrics', headers: { host } })).statusCode;
    expect(await status('cams.example.com:443')).toBe(200);
    expect(await status('other.example.com')).toBe(403);
  });

  test('is accepted on other addresses, where Prometheus uses names, unless http.hosts has entries', async () => {
    const headers = { host: 'austream.monitoring.svc:8080' };
    const open = serverWith({ host: '0.0.0.0' });
    expect((await open.inject({ url: '/metrics', headers })).statusCode).toBe(200);
    const listed = serverWith({ host: '0.0.0.0', hosts: ['cams.example.com'] });
    expect((await listed.inject({ url: '/metrics', headers })).statusCode).toBe(403);
    expect((await listed.inject({ url: '/metrics', headers: { host: '10.0.0.7:8080' } })).statusCode).toBe(
      200,
    );
  });
});

describe('requests from pages of other sites', () => {
  const OTHERS: Record<string, string>[] = [
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:9999' },
    { origin: 'https://localhost.evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
    { 'sec-fetch-site': 'same-site', origin: 'http://localhost' },
  ];

  test.each(OTHERS)('%o are refused', async (headers) => {
    const server = serverWith();
    for (const [method, url] of [
      ['GET', '/metrics'],
      ['POST', '/change'],
      ['GET', '/unknown'],
    ] as const) {
      const response = await server.inject({ method, url, headers: { host: 'localhost', ...headers } });
      expect(response.statusCode).toBe(403);
    }
  });

  test('a form may not be sent by navigating, but a link may be followed', async () => {
    const headers = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    const server = serverWith();
    expect((await server.inject({ method: 'POST', url: '/change', headers })).statusCode).toBe(403);
    expect((await server.inject({ url: '/metrics', headers })).statusCode).toBe(200);
  });

  test('the own page may send requests, also behind a proxy with TLS', async () => {
    const server = serverWith({ hosts: ['cams.example.com'] });
    for (const headers of [
      { host: 'localhost:8080', origin: 'http://localhost:8080' },
      { host: 'cams.example.com', origin: 'https://cams.example.com' },
      { host: 'cams.example.com:443', origin: 'https://cams.example.com' },
      { host: 'localhost:8080', 'sec-fetch-site': 'same-origin' },
      { host: 'localhost:8080', 'sec-fetch-site': 'none' },
    ])
      expect((await server.inject({ method: 'POST', url: '/change', headers })).statusCode).toBe(200);
  });

  test('no response allows another origin to read it', async () => {
    const server = serverWith();
    for (const [method, url] of [
      ['GET', '/metrics'],
      ['OPTIONS', '/metrics'],
      ['OPTIONS', '/change'],
      ['GET', '/unknown'],
    ] as const) {
      const { headers } = await server.inject({ method, url });
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      expect(headers).toMatchObject({
        'cross-origin-resource-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      });
    }
  });
});

describe('a slow client', () => {
  const LIMITS = { requestMs: 1_000, headersMs: 500, silentMs: 60_000, checkMs: 50 };
  const within = { timeout: 20_000 };

  test.each([
    ['that sends nothing', '', ''],
    ['that sends half a header', 'GET /metrics HTTP/1.1\r\nhost: localhost\r\nx-a: ', '408'],
    [
      'that sends a body byte by byte',
      'POST /change HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{',
      '408',
    ],
  ])(
    '%s is closed',
    async (_, start, answer) => {
      const port = await listen(serverWith({}, LIMITS));
      const { socket, received } = await dial(port);
      socket.write(start);
      const drip = setInterval(() => start && socket.write(' '), 50);
      cleanups.push(() => clearInterval(drip));
      await expect.poll(() => received.isClosed, within).toBe(true);
      expect(received.text.slice(9, 12)).toBe(answer);
    },
    30_000,
  );
});

describe('many connections', () => {
  test('of one address are bounded; other addresses and new requests are still answered', async () => {
    const port = await listen(serverWith());
    const flood = await Promise.all(Array.from({ length: 1_000 }, () => dial(port, '127.0.0.2')));
    const open = () => flood.filter(({ received }) => !received.isClosed).length;
    await expect.poll(open, { timeout: 30_000 }).toBeLessThanOrEqual(64);
    for (const address of ['127.0.0.1', '127.0.0.2']) {
      const { socket, received } = await dial(port, address);
      socket.write('GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n');
      await expect.poll(() => received.text, { timeout: 10_000 }).toContain('200 OK');
    }
  }, 60_000);

  test('of many addresses are bounded together', async () => {
    const port = await listen(serverWith());
    const flood = await Promise.all(
      Array.from({ length: 600 }, (_, n) => dial(port, `127.0.1.${1 + (n % 100)}`)),
    );
    const open = () => flood.filter(({ received }) => !received.isClosed).length;
    await expect.poll(open, { timeout: 30_000 }).toBeLessThanOrEqual(256);
    const { socket, received } = await dial(port);
    socket.write('GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await expect.poll(() => received.text, { timeout: 10_000 }).toContain('200 OK');
  }, 60_000);

  test('do not close that of a signed-in person', async () => {
    const server = serverWith();
    server.get('/events', (request, reply) => {
      server.connections.keep(request.raw);
      reply.hijack();
      reply.raw.write('HTTP/1.1 200 OK\r\n\r\n');
    });
    const port = await listen(server);
    const { socket, received } = await dial(port);
    socket.write('GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await expect.poll(() => received.text, { timeout: 10_000 }).toContain('200 OK');
    const flood = await Promise.all(Array.from({ length: 500 }, () => dial(port)));
    await expect
      .poll(() => flood.filter((one) => !one.received.isClosed).length, { timeout: 30_000 })
      .toBeLessThanOrEqual(64);
    expect(received.isClosed).toBe(false);
  }, 60_000);
});

describe('a request that two parsers may read differently (request smuggling)', () => {
  const SECOND = 'GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n';
  const length = SECOND.length + 5;

  test.each([
    [
      'content-length and transfer-encoding',
      `content-length: ${length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['two lengths', `content-length: 0\r\ncontent-length: ${length}\r\n\r\n`],
    ['a length list', `content-length: 0, ${length}\r\n\r\n`],
    ['a signed length', `content-length: +0\r\n\r\n`],
    ['an unknown transfer-encoding', 'transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n'],
    ['a hidden transfer-encoding', 'transfer-encoding: xchunked\r\n\r\n0\r\n\r\n'],
    ['a space before the colon', 'content-length : 0\r\n\r\n'],
    ['a folded header', 'x-a: b\r\n content-length: 0\r\n\r\n'],
    ['a bare line feed', 'content-length: 0\nx: y\r\n\r\n'],
    ['a wrong chunk size', 'transfer-encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n'],
  ])('with %s is rejected, and what follows is not served', async (_, rest) => {
    const port = await listen(serverWith());
    const { socket, received } = await dial(port);
    socket.write(`POST /change HTTP/1.1\r\nhost: localhost\r\n${rest}${SECOND}`);
    await expect.poll(() => received.isClosed, { timeout: 10_000 }).toBe(true);
    expect(received.text).toContain('400 Bad Request');
    expect(received.text).not.toContain('200 OK');
  });

  test('a large header or body is rejected', async () => {
    const server = serverWith();
    const port = await listen(server);
    const { socket, received } = await dial(port);
    socket.write(`GET /metrics HTTP/1.1\r\nhost: localhost\r\nx-a: ${'a'.repeat(20_000)}\r\n\r\n`);
    await expect.poll(() => received.text, { timeout: 10_000 }).toContain('431');
    const payload = { text: 'a'.repeat(20_000) };
    expect((await server.inject({ method: 'POST', url: '/change', payload })).statusCode).toBe(413);
  });
});

test('only listed proxies name the client', async () => {
  const ip = async (proxies?: string[]) => {
    const server = serverWith(proxies ? { proxies } : {});
    server.get('/ip', (request) => request.ip);
    return (await server.inject({ url: '/ip', headers: { 'x-forwarded-for': '192.0.2.7' } })).body;
  };
  expect(await ip()).toBe('127.0.0.1');
  expect(await ip(['10.0.0.0/8'])).toBe('127.0.0.1');
  expect(await ip(['127.0.0.1'])).toBe('192.0.2.7');
});
