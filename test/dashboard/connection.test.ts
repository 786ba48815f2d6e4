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
/** Grey of the face's picture, as live-page.ts makes it. */
const SHADE = 200;

/** What the page says about itself, in one look. */
const look = () =>
  page.evaluate(`(() => {
    const find = (selector) => document.querySelector(selector);
    const boxes = find('.face-boxes');
    const { data } = boxes.getContext('2d').getImageData(0, 0, boxes.width, boxes.height);
    let picture = 0;
    for (let at = 0; at < data.length; at += 4)
      if (data[at] === ${SHADE} && data[at + 1] === ${SHADE} && data[at + 3] === 255) picture += 1;
    return {
      state: find('.camera .state').textContent,
      detail: find('.camera .detail').textContent,
      fps: find('.camera dd').textContent,
      faces: [...document.querySelectorAll('.face h3')].map(({ textContent }) => textContent),
      notice: find('#not-live').hidden ? '' : find('#not-live').textContent,
      ok: find('#connection').dataset.ok,
      live: find('#live').getAttribute('aria-pressed'),
      time: find('#shown').textContent,
      picture: picture > 50,
    };
  })()`);
const NOTHING_LIVE = {
  state: '? unknown',
  detail: expect.stringMatching(/^was live at \d\d:\d\d:\d\d$/),
  fps: '–',
  // Those of that moment, not "no face in sight".
  faces: ['Face 1', 'Face 2'],
  notice: expect.stringMatching(/^Nothing here is live. What is shown is from \d\d:\d\d:\d\d\.$/),
  ok: 'false',
  live: 'false',
  time: expect.stringMatching(/^\d\d:\d\d:\d\d, \d+ s ago$/),
  picture: false,
};
const ALL_LIVE = {
  state: '● live',
  detail: '',
  fps: '25.0',
  faces: ['Face 1', 'Face 2'],
  notice: '',
  ok: 'true',
  live: 'true',
  time: expect.stringMatching(/^live, \d\.\d s behind$/),
  picture: true,
};
/** Everything that the next moment changes on a live page. */
const contents = () =>
  page.evaluate(`[
    document.querySelector('.camera').textContent,
    ...[...document.querySelectorAll('.plot canvas, .face-boxes')].map((canvas) => canvas.toDataURL()),
  ]`);

test('nothing looks live while the server hangs with its connections open; all is live when it goes on', async () => {
  await page.evaluate('globalThis.notReloaded = true');
  server.kill('SIGSTOP');
  await expect.poll(look, within(9)).toEqual(NOTHING_LIVE);
  expect(await page.locator('#connection').textContent()).toBe('connection silent or too slow');
  server.kill('SIGCONT');
  await expect.poll(look, within(10)).toEqual(ALL_LIVE);
  expect(await page.evaluate('notReloaded')).toBe(true);
}, 60_000);

test('nothing looks live after the server ended; all is live when there is one again', async () => {
  server.kill('SIGKILL');
  await once(server, 'exit');
  await expect.poll(look, within(5)).toEqual(NOTHING_LIVE);
  expect(await page.locator('#connection').textContent()).toBe('connection lost, trying again');
  const unchanged = async () => {
    const before = await contents();
    await page.waitForTimeout(400);
    return isDeepStrictEqual(await contents(), before);
  };
  await expect.poll(unchanged, within(10)).toBe(true);
  expect(await axeViolations(page)).toEqual([]);
  ({ process: server } = await startLivePage(Number(new URL(url).port)));
  await expect.poll(look, within(30)).toEqual(ALL_LIVE);
}, 90_000);
