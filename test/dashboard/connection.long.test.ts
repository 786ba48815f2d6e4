import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchBrowser } from './browser.ts';
import { startLivePage } from './live-page-process.ts';

let browser: Browser;
let page: Page;
let server: ChildProcess;
let serverPort: number;
/** Time that the proxy takes for a byte of the server, ms. */
let msPerByte = 0;
/** The proxy's connections to the browser and to the server, and those that it lets hang. */
const sockets = new Set<Socket>();
const hanging = new Set<Socket>();
const proxy = createServer((client) => {
  const upstream = connect(serverPort, '127.0.0.1');
  for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
  client.pipe(upstream);
  void answer(upstream, client).catch(() => {});
});

async function answer(upstream: Socket, client: Socket): Promise<void> {
  for await (const chunk of upstream as AsyncIterable<Buffer>) {
    await setTimeout(msPerByte * chunk.length);
    if (!hanging.has(upstream)) client.write(chunk);
  }
  if (!hanging.has(upstream)) client.end();
}

beforeAll(async () => {
  browser = await launchBrowser();
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
});
afterAll(async () => {
  await browser.close();
  for (const socket of sockets) socket.destroy();
  proxy.close();
});

beforeEach(async () => {
  const started = await startLivePage();
  server = started.process;
  serverPort = Number(new URL(started.url).port);
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/`);
  await expect.poll(severity, within(20)).toBe('good');
});
afterEach(async () => {
  await page.close();
  server.kill('SIGKILL');
});

const within = (seconds: number) => ({ timeout: seconds * 1_000, interval: 50 });
const severity = () => page.locator('.camera').getAttribute('data-severity');

test('connections that look open while nothing passes are given up, and others are opened', async () => {
  for (const socket of sockets) hanging.add(socket);
  await expect.poll(severity, within(7)).toBe('unknown');
  await expect.poll(severity, within(30)).toBe('good');
}, 60_000);

test('a page whose link is too slow is not live', async () => {
  msPerByte = 1;
  await expect.poll(severity, within(30)).toBe('unknown');
  expect(await page.locator('#connection').textContent()).toBe('connection silent or too slow');
  msPerByte = 0;
  await expect.poll(severity, within(60)).toBe('good');
}, 120_000);
