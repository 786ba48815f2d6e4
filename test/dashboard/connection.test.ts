import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { axeViolations } from './axe.ts';
import { launchBrowser } from './browser.ts';
import { startLivePage } from './live-page-process.ts';

let browser: Browser;
let page: Page;
let server: ChildProcess;
let url: string;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

beforeEach(async () => {
  ({ url, process: server } = await startLivePage());
  page = await browser.newPage();
  await page.goto(url);
  await page.getByRole('heading', { name: 'Face 2' }).waitFor();
  await expect.poll(severity, within(10)).toBe('good');
});
afterEach(async () => {
  await page.close();
  server.kill('SIGKILL');
});

const within = (seconds: number) => ({ timeout: seconds * 1_000, interval: 50 });
const severity = () => page.locator('.camera').getAttribute('data-severity');
const pixels = (selector: string) =>
  page.evaluate(`document.querySelector('${selector}').toDataURL()`) as Promise<string>;
/** Everything that the page shows and that a moment changes. */
const shown = async () => [
  await page.locator('.camera').textContent(),
  await pixels('.plot canvas'),
  await pixels('.face-boxes'),
];

/** Nothing on the page looks live. */
async function expectNothingLive(): Promise<void> {
  await expect.poll(() => page.locator('.camera .state').textContent()).toBe('? unknown');
  expect(await page.locator('.camera .detail').textContent()).toMatch(/^was live at \d\d:\d\d:\d\d$/);
  expect(await page.locator('#not-live').textContent()).toMatch(
    /^Nothing here is live. What is shown is from \d\d:\d\d:\d\d\.$/,
  );
  expect(await page.locator('#not-live').isVisible()).toBe(true);
  expect(await page.locator('#connection').getAttribute('data-ok')).toBe('false');
  expect(await page.locator('.camera dd').first().textContent()).toBe('–');
  // The faces are those of that moment, not "no face in sight"; none is drawn in the picture.
  expect(await page.getByRole('heading', { name: /^Face/ }).count()).toBe(2);
  await expect.poll(() => page.locator('#live').getAttribute('aria-pressed')).toBe('false');
  expect(await page.locator('#shown').textContent()).toMatch(/^\d\d:\d\d:\d\d, \d+ s ago$/);
  const unchanged = async () => {
    const before = await shown();
    await page.waitForTimeout(400);
    return isDeepStrictEqual(await shown(), before);
  };
  await expect.poll(unchanged, within(5)).toBe(true);
}

test('nothing looks live while the server hangs with its connections open; all is live when it goes on', async () => {
  await page.evaluate('globalThis.notReloaded = true');
  server.kill('SIGSTOP');
  await expect.poll(severity, within(7)).toBe('unknown');
  expect(await page.locator('#connection').textContent()).toBe('connection silent or too slow');
  await expectNothingLive();
  expect(await axeViolations(page)).toEqual([]);
  server.kill('SIGCONT');
  await expect.poll(severity, within(5)).toBe('good');
  await page.getByText('● live', { exact: true }).waitFor();
  expect(await page.locator('#not-live').isVisible()).toBe(false);
  await expect.poll(() => page.locator('#shown').textContent(), within(5)).toMatch(/^live, \d\.\d s behind$/);
  expect(await page.evaluate('notReloaded')).toBe(true);
}, 60_000);

test('nothing looks live after the server ended; all is live when there is one again', async () => {
  server.kill('SIGKILL');
  await once(server, 'exit');
  await expect.poll(severity, within(3)).toBe('unknown');
  expect(await page.locator('#connection').textContent()).toBe('connection lost, trying again');
  await expectNothingLive();
  ({ process: server } = await startLivePage(Number(new URL(url).port)));
  await expect.poll(severity, within(20)).toBe('good');
  await page.getByRole('heading', { name: 'Face 2' }).waitFor();
  expect(await page.locator('#connection').textContent()).toBe('connected');
}, 60_000);
