import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { cameraOptions } from '../../../src/camera/options.ts';
import { log } from '../../../src/log.ts';
import { serveLivePage } from '../serve.ts';
import { openedLink, signedIn, signIn } from './sign-in.ts';

const TOKEN = 'c4n4ry-alice-token-of-many-letters';
const DAY_MS = 86_400_000;

beforeAll(() => {
  log.level = 'silent';
});
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function livePage(options: Parameters<typeof serveLivePage>[0] = { dashboard: {} }) {
  let now = 1_700_000_000_000;
  const served = await serveLivePage({ now: () => now, ...options });
  cleanups.push(served.close);
  const status = async (headers: Record<string, string>, url = '/pictures/x') =>
    (await served.server.inject({ url, headers })).statusCode;
  return { ...served, status, pass: (ms: number) => (now += ms) };
}
const withAlice = { dashboard: { users: [{ name: 'alice', token: TOKEN, role: 'operate' as const }] } };

/** What a request gets that is let in: the picture does not exist. */
const LET_IN = 404;

describe('without a session', () => {
  test.each([
    ['GET', '/events'],
    ['GET', '/pictures/cam%2F1%2F1'],
    ['POST', '/cameras'],
    ['DELETE', '/cameras/door'],
    ['POST', '/cameras/door/pause'],
    ['POST', '/cameras/door/resume'],
    ['GET', '/cameras/door/areas'],
    ['POST', '/logout'],
  ] as const)('%s %s is refused on the loopback', async (method, url) => {
    const { server } = await livePage();
    for (const headers of [{}, { 'x-austream': 'page' }, { 'x-austream': 'page', cookie: 'austream=x' }]) {
      const response = await server.inject({ method, url, headers });
      expect([401, 403]).toContain(response.statusCode);
    }
  });

  test('another user of this machine cannot remove a camera', async () => {
    const { url, cameras } = await livePage();
    await cameras.add(cameraOptions.parse({ id: 'door', url: 'rtsp://127.0.0.1:9/' }), 'config');
    const args = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '-X', 'DELETE', '-H', 'x-austream: 1'];
    const asOther = process.getuid!() === 0 ? ['setpriv', '--reuid=65534', '--clear-groups'] : [];
    const [command, ...rest] = [...asOther, 'curl', ...args, `${url}/cameras/door`];
    // Not synchronous: this process answers the request.
    const { stdout } = await promisify(execFile)(command!, rest);
    expect(stdout).toBe('401');
    expect(cameras.list().map(({ id }) => id)).toEqual(['door']);
  });

  test('the page shows the sign-in form, and assets outside its folder are not served', async () => {
    const { server } = await livePage();
    const page = await server.inject({ url: '/' });
    expect(page.statusCode).toBe(401);
    expect(page.body).toContain('id="token"');
    for (const path of [
      '../../package.json',
      '..%2f..%2fpackage.json',
      '%2e%2e/%2e%2e/package.json',
      '/etc/passwd',
    ])
      expect((await server.inject({ url: `/assets/${path}` })).statusCode).not.toBe(200);
  });
});

describe('a link', () => {
  test('opens one session, leaves no token in the address, and is void afterwards', async () => {
    const { server, access, status } = await livePage();
    const token = access.issueLink({ lasting: true });
    const first = await server.inject({ url: `/?token=${token}` });
    expect(first.statusCode).toBe(303);
    expect(first.headers.location).toMatch(/^\/#key=[\w-]{43}$/);
    expect(first.headers.location).not.toContain(token);
    expect(first.headers['referrer-policy']).toBe('no-referrer');
    const cookie = String(first.headers['set-cookie']);
    expect(cookie).toMatch(/^austream80=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/);
    const key = String(first.headers.location).slice('/#key='.length);
    expect(await status({ cookie, 'x-austream': key })).toBe(LET_IN);
    for (const attempt of [server.inject({ url: `/?token=${token}` }), signIn(server, token)]) {
      const again = await attempt;
      expect(again.statusCode).toBe(401);
      expect(again.headers['set-cookie']).toBeUndefined();
    }
    // The browser's preview used it: the person still gets the session.
    expect((await server.inject({ url: `/?token=${token}`, headers: { cookie } })).headers.location).toBe(
      '/',
    );
  });

  test('is not used up by other methods than GET', async () => {
    const { server, access } = await livePage();
    const token = access.issueLink();
    for (const method of ['HEAD', 'OPTIONS', 'POST', 'PUT'] as const)
      expect(
        (await server.inject({ method, url: `/?token=${token}` })).headers['set-cookie'],
      ).toBeUndefined();
    expect((await server.inject({ url: `/?token=${token}` })).statusCode).toBe(303);
  });

  test('that was asked for expires after ten minutes; a lasting one does not', async () => {
    const { server, access, pass } = await livePage();
    const [asked, lasting] = [access.issueLink(), access.issueLink({ lasting: true })];
    pass(10 * 60_000);
    expect((await server.inject({ url: `/?token=${asked}` })).statusCode).toBe(401);
    expect((await server.inject({ url: `/?token=${lasting}` })).statusCode).toBe(303);
  });

  test('works while wrong tokens block the address', async () => {
    const { server, access } = await livePage(withAlice);
    for (let n = 0; n < 10; n++) await signIn(server, `wrong-token-number-${n}`);
    expect((await signIn(server, TOKEN)).statusCode).toBe(429);
    expect((await signIn(server, access.issueLink())).statusCode).toBe(200);
  });
});

describe('a session', () => {
  test('needs the key beside the cookie: cookies are shared by all ports of a host', async () => {
    const { server, status } = await livePage(withAlice);
    const { host, cookie, 'x-austream': key } = await signedIn(server, TOKEN);
    expect(await status({ host, cookie, 'x-austream': key })).toBe(LET_IN);
    expect(await status({ host, cookie })).toBe(401);
    expect(await status({ host, cookie, 'x-austream': 'page' })).toBe(401);
    expect(await status({ host, 'x-austream': key })).toBe(401);
    const other = await signedIn(server, TOKEN);
    expect(await status({ host, cookie, 'x-austream': other['x-austream'] })).toBe(401);
    for (const [method, url] of [
      ['GET', '/events'],
      ['DELETE', '/cameras/door'],
    ] as const)
      expect(
        (await server.inject({ method, url, headers: { host, cookie, 'x-austream': '1' } })).statusCode,
      ).toBe(401);
  });

  test('is never one that the client chose, and replaces the one before (fixation)', async () => {
    const { server, status } = await livePage(withAlice);
    const { host, cookie } = await signedIn(server, TOKEN);
    const name = cookie.split('=')[0]!;
    const chosen = `${name}=${'A'.repeat(43)}`;
    const response = await signIn(server, TOKEN, { cookie: chosen });
    expect(String(response.headers['set-cookie'])).not.toContain('AAAA');
    expect(await status({ host, cookie: chosen, 'x-austream': response.json().key })).toBe(401);
    const before = await signedIn(server, TOKEN);
    await signIn(server, TOKEN, { cookie: before.cookie });
    expect(await status(before)).toBe(401);
  });

  test('with a cookie of the same name from another program is still found', async () => {
    const { server, status } = await livePage(withAlice);
    const { cookie, ...headers } = await signedIn(server, TOKEN);
    expect(await status({ ...headers, cookie: `${cookie.split('=')[0]}=tossed; ${cookie}` })).toBe(LET_IN);
  });

  test('ends with a sign-out', async () => {
    const { server, status } = await livePage(withAlice);
    const headers = await signedIn(server, TOKEN);
    const response = await server.inject({ method: 'POST', url: '/logout', headers });
    expect(response.statusCode).toBe(204);
    expect(String(response.headers['set-cookie'])).toContain('Max-Age=0');
    expect(await status(headers)).toBe(401);
  });

  test('ends when it was idle too long, and when it is too old', async () => {
    const dashboard = { ...withAlice.dashboard, sessions: { idleMinutes: 10, maxHours: 24 } };
    const { server, status, pass } = await livePage({ dashboard });
    const [idle, used] = [await signedIn(server, TOKEN), await signedIn(server, TOKEN)];
    pass(9 * 60_000);
    expect(await status(used)).toBe(LET_IN);
    const { host, cookie } = idle;
    expect(await status({ host, cookie }, '/')).toBe(200);
    pass(9 * 60_000);
    // The cookie alone, which another port of the host may know, does not prolong a session.
    expect([await status(idle), await status(used)]).toEqual([401, LET_IN]);
    for (let minutes = 18; minutes < 24 * 60; minutes += 9) {
      pass(9 * 60_000);
      await status(used);
    }
    expect(await status(used)).toBe(401);
  });

  test('has a Secure cookie with the prefix __Host- behind a proxy with TLS', async () => {
    const { server } = await livePage(withAlice);
    const https = { 'x-forwarded-proto': 'https' };
    const { host } = await signedIn(server, TOKEN);
    const response = await signIn(server, TOKEN, https);
    const cookie = String(response.headers['set-cookie']);
    expect(cookie).toMatch(/^__Host-austream\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; Secure$/);
    const headers = { ...https, host, cookie: cookie.split(';')[0]!, 'x-austream': response.json().key };
    expect((await server.inject({ url: '/pictures/x', headers })).statusCode).toBe(LET_IN);
  });

  test('sessions are bounded', async () => {
    const { server, status } = await livePage(withAlice);
    const first = await signedIn(server, TOKEN);
    for (let n = 0; n < 32; n++) await signedIn(server, TOKEN);
    expect(await status(first)).toBe(401);
  });
});

describe('a token', () => {
  test('of a person is not taken from a query', async () => {
    const { server } = await livePage(withAlice);
    for (const url of [`/?token=${TOKEN}`, `/events?token=${TOKEN}`, `/pictures/x?token=${TOKEN}`]) {
      const response = await server.inject({ url });
      expect(response.statusCode).toBe(401);
      expect(response.headers['set-cookie']).toBeUndefined();
    }
  });

  test('signs programs in as a bearer', async () => {
    const { status } = await livePage(withAlice);
    expect(await status({ authorization: `Bearer ${TOKEN}` })).toBe(LET_IN);
    expect(await status({ authorization: `Basic ${TOKEN}` })).toBe(401);
    expect(await status({ authorization: `Bearer ${TOKEN.slice(0, -1)}` })).toBe(401);
  });

  test('cannot be guessed fast, as form or as bearer', async () => {
    for (const attempt of ['form', 'bearer']) {
      const { server, status, pass } = await livePage(withAlice);
      const guess = async (token: string) =>
        attempt === 'form'
          ? (await signIn(server, token)).statusCode
          : await status({ authorization: `Bearer ${token}` });
      const guesses = await Promise.all(
        Array.from({ length: 200 }, (_, n) => guess(`a-guess-with-number-${n}`)),
      );
      expect(guesses.filter((code) => code === 401).length).toBe(5);
      expect(await guess(TOKEN)).toBe(429);
      const { headers } = await signIn(server, TOKEN);
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
      pass(DAY_MS);
      expect(await guess(TOKEN)).toBe(attempt === 'form' ? 200 : LET_IN);
    }
  });

  test('http.token opens the page with all rights', async () => {
    const { server, status } = await livePage({ http: { token: TOKEN } });
    expect(await status(await signedIn(server, TOKEN))).toBe(LET_IN);
    const remove = {
      method: 'DELETE',
      url: '/cameras/none',
      headers: await signedIn(server, TOKEN),
    } as const;
    expect((await server.inject(remove)).statusCode).toBe(404);
  });
});

test('sign-in needs the header that no other site can send', async () => {
  const { server, access } = await livePage(withAlice);
  for (const headers of [
    {},
    { 'x-austream': '1', origin: 'http://evil.example' },
    { 'x-austream': '1', origin: 'null' },
    { 'x-austream': '1', 'sec-fetch-site': 'cross-site' },
  ]) {
    const payload = { token: access.issueLink() };
    const response = await server.inject({ method: 'POST', url: '/login', headers, payload });
    expect(response.statusCode).toBe(403);
  }
});

test('a forged method is not taken from a header or the query', async () => {
  const { server, access } = await livePage();
  const headers = { ...(await openedLink(server, access.issueLink())), 'x-http-method-override': 'DELETE' };
  for (const method of ['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'PATCH'] as const) {
    const response = await server.inject({ method, url: '/cameras/door?_method=DELETE', headers });
    expect(response.statusCode).toBe(404);
  }
});
