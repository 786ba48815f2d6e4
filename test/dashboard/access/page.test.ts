import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { dashboardOptions } from '../../../src/dashboard/options.ts';
import { log } from '../../../src/log.ts';
import { axeViolations } from '../axe.ts';
import { launchBrowser } from '../browser.ts';
import { generate, generatedStatus } from '../generated.ts';
import { serveLivePage } from '../serve.ts';

const ALICE = { name: 'alice', token: 'alice-token-of-many-letters', role: 'operate' as const };
const BOB = { name: 'bob', token: 'bob-token-of-many-letters', role: 'view' as const, cameras: ['lobby'] };
const SCREENSHOTS = process.env.AUSTREAM_SCREENSHOTS;

let browser: Browser;
beforeAll(async () => {
  log.level = 'silent';
  browser = await launchBrowser();
});
afterAll(() => browser.close());
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A page of its own browser profile, on a server with the cameras `lobby` and `door`. */
async function openPage(size = { width: 1280, height: 800 }) {
  const served = await serveLivePage({ dashboard: { users: [ALICE, BOB] } });
  cleanups.push(served.close);
  for (const id of ['lobby', 'door']) served.store.updateCamera(generatedStatus(id, 'LIVE'));
  cleanups.push(generate(['lobby'], 1, (frames) => served.store.addFrames(frames)));
  const context = await browser.newContext({ viewport: size });
  cleanups.push(() => context.close());
  return { ...served, context, page: await context.newPage() };
}

async function signIn(page: Page, url: string, token: string): Promise<void> {
  await page.goto(url);
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'lobby' }).waitFor();
}

async function screenshot(page: Page, name: string): Promise<void> {
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });
}

test('a link opens the page once; its token is in no address, history or storage afterwards', async () => {
  const { url, access, context, page } = await openPage();
  const token = access.issueLink({ lasting: true });
  await page.goto(`${url}/?token=${token}`);
  await page.getByRole('heading', { name: 'lobby' }).waitFor();
  expect(page.url()).toBe(`${url}/`);
  await page.getByText('signed in by link').waitFor();
  await page.getByRole('button', { name: 'Add camera' }).waitFor();
  await screenshot(page, 'link');
  const kept = await page.evaluate(
    'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state, location.href])',
  );
  expect(kept).not.toContain(token);
  expect(kept).toContain('austream-key');
  const [cookie] = await context.cookies();
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/', expires: -1 });
  // A second tab shares the session.
  const second = await context.newPage();
  await second.goto(url);
  await second.getByRole('heading', { name: 'lobby' }).waitFor();
  // Another profile cannot use the link again.
  const other = await (await browser.newContext()).newPage();
  cleanups.push(() => other.context().close());
  await other.goto(`${url}/?token=${token}`);
  await other.getByLabel('Token').waitFor();
});

test('the sign-in form names a wrong token, can be used by keyboard and screen reader, and fits a phone', async () => {
  const { url, page } = await openPage({ width: 360, height: 740 });
  await page.goto(url);
  expect(await axeViolations(page)).toEqual([]);
  await page.getByLabel('Token').fill('a-wrong-token-of-many-letters');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('this token is not valid').waitFor();
  expect(await page.getByLabel('Token').getAttribute('aria-invalid')).toBe('true');
  await screenshot(page, 'sign-in-phone');
  for (let n = 0; n < 6; n++) {
    await page.getByLabel('Token').fill(`another-wrong-token-${n}`);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Show the cameras' }).and(page.locator(':enabled')).waitFor();
  }
  await page.getByText(/too many wrong tokens: wait \d+ s/).waitFor();
  const overflow = await page.evaluate(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  expect(overflow).toBe(0);
});

test('the role view shows the person’s cameras without anything that changes them', async () => {
  for (const [name, size] of [
    ['view', { width: 1280, height: 800 }],
    ['view-phone', { width: 360, height: 740 }],
  ] as const) {
    const { url, page } = await openPage(size);
    await signIn(page, url, BOB.token);
    await page.getByRole('heading', { name: 'Face 1' }).waitFor();
    await page.getByText('bob (view only)').waitFor();
    expect(await page.getByRole('heading', { name: 'door' }).count()).toBe(0);
    for (const label of [/Add camera/, /Remove/])
      expect(await page.getByRole('button', { name: label }).count()).toBe(0);
    expect(await axeViolations(page)).toEqual([]);
    await screenshot(page, name);
  }
});

test('signing out leads to the form, and Back shows nothing', async () => {
  const { url, page } = await openPage();
  await signIn(page, url, ALICE.token);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token').waitFor();
  expect(await page.evaluate('localStorage.length')).toBe(0);
  await page.goto(url);
  await page.getByLabel('Token').waitFor();
  expect(await page.getByText('lobby').count()).toBe(0);
});

test('a page whose session ends says so and leads to the form', async () => {
  const { url, page, access } = await openPage();
  await signIn(page, url, ALICE.token);
  access.configure({ host: '127.0.0.1' }, dashboardOptions.parse({ users: [BOB] }));
  await page.getByRole('dialog', { name: 'Your session has ended' }).waitFor();
  expect(await page.locator('.camera').count()).toBe(0);
  expect(await axeViolations(page)).toEqual([]);
  await screenshot(page, 'ended');
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByLabel('Token').fill(BOB.token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'lobby' }).waitFor();
});

/** A server of another user of this machine: same host, another port. Its page runs in the victim's browser. */
async function attackerServer(context: BrowserContext) {
  const cookies: string[] = [];
  const server = createServer((request, response) => {
    if (request.headers.cookie) cookies.push(request.headers.cookie);
    response.setHeader('content-type', 'text/html').end('<!doctype html><body>evil');
  }).listen(0, '127.0.0.1');
  cleanups.push(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return { page, cookies };
}

test('a page of another port in the same browser reads nothing, changes nothing, and its cookie does not help', async () => {
  const { url, page, context, cameras, server } = await openPage();
  await signIn(page, url, ALICE.token);
  const attacker = await attackerServer(context);
  // What the issue of cookies without ports is about: the other server is sent the session's cookie.
  expect(attacker.cookies.join()).toMatch(/austream\d+=/);
  for (const [method, path] of [
    ['GET', '/events'],
    ['DELETE', '/cameras/lobby'],
  ] as const)
    for (const key of ['page', ''])
      expect(
        (
          await server.inject({
            method,
            url: path,
            headers: { cookie: attacker.cookies[0]!, host: new URL(url).host, 'x-austream': key },
          })
        ).statusCode,
      ).toBe(401);

  const outcome = await attacker.page.evaluate(`(async () => {
    const target = ${JSON.stringify(url)};
    const read = (path, init) => fetch(target + path, { credentials: 'include', ...init }).then((r) => r.status + ':' + r.type, () => 'refused');
    const source = await new Promise((resolve) => {
      const events = new EventSource(target + '/events', { withCredentials: true });
      events.onmessage = () => resolve('message');
      events.onerror = () => resolve('refused');
    });
    const frame = document.createElement('iframe');
    frame.src = target + '/';
    document.body.append(frame);
    await new Promise((resolve) => { frame.onload = resolve; });
    let framed = 'refused';
    try { framed = frame.contentDocument ? 'readable' : 'refused'; } catch {}
    return {
      source, framed,
      events: await read('/events'),
      opaque: await read('/events', { mode: 'no-cors' }),
      metrics: await read('/healthz'),
      remove: await read('/cameras/lobby', { method: 'DELETE', headers: { 'x-austream': '1' } }),
      add: await read('/cameras', { method: 'POST', mode: 'no-cors', body: '{}' }),
      login: await read('/login', { method: 'POST', mode: 'no-cors', body: '{}' }),
      stored: JSON.stringify({ ...localStorage }),
    };
  })()`);
  expect(outcome).toEqual({
    source: 'refused',
    framed: 'refused',
    events: 'refused',
    opaque: 'refused',
    metrics: 'refused',
    remove: 'refused',
    add: 'refused',
    login: 'refused',
    stored: '{}',
  });
  expect(cameras.list()).toEqual([]);
  // The victim's page goes on.
  expect(await page.locator('#connection').textContent()).toBe('connected');
});
