import { createRequire } from 'node:module';
import { fastify } from 'fastify';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Access } from '../../src/dashboard/access.ts';
import { DashboardHub } from '../../src/dashboard/store.ts';
import { serveDashboard } from '../../src/dashboard/server.ts';
import { faceCrop, frameOf } from '../infer/faces.ts';
import { launchBrowser } from './browser.ts';
import { generate, generatedFrame, generatedStatus } from './generated.ts';
import { noCameras } from './no-cameras.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Look {
  showVideo?: boolean;
  token?: string;
  dark?: boolean;
  size?: { width: number; height: number };
}

/** A page on a server of its own; whatever it complains about fails the test. */
async function openPage(look: Look = {}): Promise<{ hub: DashboardHub; page: Page; url: string }> {
  const hub = new DashboardHub({ showVideo: look.showVideo ?? false });
  const server = fastify();
  ends.push(() => server.close());
  await serveDashboard(server, {
    hub,
    thresholds: new Float32Array(12).fill(0.5),
    cameras: noCameras(hub),
    access: new Access(look.token ? '0.0.0.0' : '127.0.0.1', look.token),
  });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const context = await browser.newContext({
    viewport: look.size ?? { width: 1280, height: 900 },
    colorScheme: look.dark ? 'dark' : 'light',
  });
  ends.push(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/ 40[019] /.test(message.text())) complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) complaints.push(`foreign request: ${request.url()}`);
  });
  ends.push(() => expect(complaints).toEqual([]));
  await page.goto(url);
  return { hub, page, url };
}

/** Serious and critical faults that axe finds. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate((await import('node:fs')).readFileSync(AXE, 'utf8'));
  const found = (await page.evaluate('axe.run()')) as {
    violations: { id: string; impact: string; nodes: { html: string }[] }[];
  };
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}

const pixels = (page: Page) =>
  page.evaluate(`document.querySelector('.plot canvas').toDataURL()`) as Promise<string>;

test('a camera and its face appear; curves, numbers and words move', async () => {
  const { hub, page } = await openPage();
  await page.getByText('Waiting for a camera').waitFor();
  hub.status(generatedStatus('lobby', 'LIVE'));
  ends.push(generate(['lobby'], 1, (frames) => hub.frames(frames)));
  await page.getByRole('heading', { name: 'lobby' }).waitFor();
  await page.getByRole('heading', { name: 'Face 1' }).waitFor();
  const value = page.locator('.labels li').nth(6).locator('.value');
  await expect.poll(() => value.textContent()).toMatch(/^\d\.\d\d$/);
  const [first, picture] = [await value.textContent(), await pixels(page)];
  await expect.poll(() => value.textContent()).not.toBe(first);
  await expect.poll(() => pixels(page)).not.toBe(picture);
  await expect.poll(() => page.locator('.summary').textContent()).toMatch(/Active: .*\(\d+\)/);
  await expect.poll(() => page.locator('.muscle.active').count()).toBeGreaterThan(0);
});

test('a dead camera turns red and says why; when it is back its gap is listed', async () => {
  const { hub, page } = await openPage();
  const card = page.locator('.camera');
  const color = () => page.evaluate(`getComputedStyle(document.querySelector('.camera')).borderTopColor`);
  hub.status(generatedStatus('lobby', 'LIVE'));
  await card.waitFor();
  expect(await color()).toBe('rgb(18, 128, 92)');
  hub.status(generatedStatus('lobby', 'RECONNECTING'));
  await expect.poll(color).toBe('rgb(198, 40, 40)');
  await page.getByText('▲ reconnecting').waitFor();
  expect(await page.locator('#announcements').textContent()).toBe(
    'lobby is reconnecting: the camera does not answer',
  );
  const at = Date.now() * 1_000;
  const gap = { from: at - 7e6, to: at, cause: 'CAMERA_UNREACHABLE', framesLost: null };
  hub.status(generatedStatus('lobby', 'LIVE', { gap }));
  await expect.poll(color).toBe('rgb(18, 128, 92)');
  await page.getByText('Gaps: 1').click();
  expect(await page.locator('tbody td').allTextContents()).toEqual([
    'lobby',
    expect.stringMatching(/^\d\d:\d\d:\d\d$/),
    '7.0',
    'CAMERA_UNREACHABLE',
  ]);
});

test('the keyboard goes back in time and on to the present', async () => {
  const { hub, page } = await openPage();
  const now = Date.now() * 1_000;
  hub.status(generatedStatus('lobby', 'LIVE'));
  // A face that was there a minute ago, for half a minute.
  for (let frame = 0; frame < 750; frame++)
    hub.frames([
      generatedFrame({ cameraId: 'lobby', trackId: 1, frame, receivedAt: now - 90e6 + frame * 40_000 }),
    ]);
  await page.getByText('No face in sight').waitFor();
  // Frames come with the tick after a state: by then there is something to go back to.
  await expect
    .poll(async () => {
      await page.locator('#scrub').fill('-75');
      return page.getByRole('heading', { name: 'Face 1' }).count();
    })
    .toBe(1);
  await page.locator('#live').press('Enter');
  await page.getByText('No face in sight').waitFor();
  await page.locator('#scrub').focus();
  for (let press = 0; press < 10; press++) await page.keyboard.press('PageDown');
  await expect.poll(() => page.locator('#live').getAttribute('aria-pressed')).toBe('false');
  const back = Number(await page.locator('#scrub').inputValue());
  expect(back).toBeLessThan(-100);
  await page.locator('#scrub').fill('-75');
  await page.getByRole('heading', { name: 'Face 1' }).waitFor();
  // The heading comes first, its numbers with the next frame drawn.
  await expect.poll(() => page.locator('.labels').textContent()).toMatch(/puller\d/);
  const held = await page.locator('.labels').textContent();
  await page.waitForTimeout(400);
  expect(await page.locator('.labels').textContent()).toBe(held);
  await page.locator('#live').press('Enter');
  await page.getByText('No face in sight').waitFor();
});

test('a page that comes late begins at the present, whatever has left before', async () => {
  const { hub, page } = await openPage();
  hub.status(generatedStatus('lobby', 'LIVE'));
  const now = Date.now() * 1_000;
  for (let frame = 0; frame < 50; frame++)
    hub.frames([
      generatedFrame({ cameraId: 'lobby', trackId: 1, frame, receivedAt: now - 40e6 + frame * 40_000 }),
    ]);
  await page.reload();
  ends.push(generate(['lobby'], 2, (frames) => hub.frames(frames)));
  await page.getByRole('heading', { name: 'Face 2' }).waitFor();
  await expect.poll(() => page.locator('#shown').textContent()).toMatch(/^live, \d\.\d s behind$/);
  await page.waitForTimeout(1_000);
  expect(await page.locator('#shown').textContent()).toMatch(/^live, \d\.\d s behind$/);
});

test('scores that come many seconds late are shown all the same', async () => {
  const { hub, page } = await openPage();
  hub.status(generatedStatus('lobby', 'LIVE'));
  let frame = 0;
  const timer = setInterval(() => {
    const receivedAt = (Date.now() - 15_000) * 1_000;
    hub.frames([generatedFrame({ cameraId: 'lobby', trackId: 1, frame: frame++, receivedAt })]);
  }, 40);
  ends.push(() => clearInterval(timer));
  await page.getByRole('heading', { name: 'Face 1' }).waitFor();
  const value = page.locator('.value').first();
  await expect.poll(() => value.textContent()).toMatch(/^\d/);
  await expect.poll(() => page.locator('#shown').textContent()).toMatch(/^live, 15\.\d s behind$/);
});

test('an unreliable face says so and shows no scores', async () => {
  const { hub, page } = await openPage();
  hub.status(generatedStatus('lobby', 'LIVE'));
  const receivedAt = Date.now() * 1_000;
  hub.frames([generatedFrame({ cameraId: 'lobby', trackId: 1, frame: 1, receivedAt, unreliable: true })]);
  await page.getByText('turned away: not scored').waitFor();
  expect(new Set(await page.locator('.value').allTextContents())).toEqual(new Set(['–']));
});

test('a picture of a face is drawn only where pictures may be shown', async () => {
  for (const showVideo of [true, false]) {
    const { hub, page } = await openPage({ showVideo });
    const asked: string[] = [];
    page.on('request', (request) => {
      if (request.url().includes('/pictures/')) asked.push(request.url());
    });
    const crop = faceCrop({ frame: 1, shade: 200, live: true });
    hub.status(generatedStatus('cam', 'LIVE', { width: 200, height: 200 }));
    hub.pictures(frameOf([{ ...crop, epoch: 1 }]));
    const box = { x: 0, y: 0, w: 200, h: 200 };
    ends.push(generate(['cam'], 1, (frames) => hub.frames(frames.map((frame) => ({ ...frame, box })))));
    await page.getByRole('heading', { name: 'Face 1' }).waitFor();
    const colors = (x: number, y: number, width: number, height: number) =>
      page.evaluate(
        `Array.from(document.querySelector('.scene').getContext('2d').getImageData(${x}, ${y}, ${width}, ${height}).data)`,
      ) as Promise<number[]>;
    const corner = () => colors(20, 30, 1, 1);
    if (showVideo) await expect.poll(corner).toEqual([200, 200, 200, 255]);
    else {
      // The face's outline is there: where pictures may be shown, its picture comes within a second.
      const inked = async () => (await colors(0, 0, 200, 200)).some((value, n) => n % 4 === 3 && value > 100);
      await expect.poll(inked).toBe(true);
      await page.waitForTimeout(1_000);
      expect(await corner()).toEqual([0, 0, 0, 0]);
    }
    expect(asked.length > 0).toBe(showVideo);
  }
});

test('the token is asked for, and opens the page', async () => {
  const { hub, page } = await openPage({ token: 'sixteen-letters-at-least' });
  hub.status(generatedStatus('lobby', 'LIVE'));
  expect(await faults(page)).toEqual([]);
  await page.getByLabel('Token').fill('sixteen-letters-at-leas');
  await page.getByRole('button').click();
  await page.getByLabel('Token').fill('sixteen-letters-at-least');
  await page.getByRole('button').click();
  await page.getByRole('heading', { name: 'lobby' }).waitFor();
  expect(page.url()).not.toContain('sixteen');
});

test('a camera that cannot be one is refused where it is wrong, and nothing typed stays', async () => {
  const { page } = await openPage();
  await page.getByRole('button', { name: 'Add camera' }).press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Add a camera' });
  const [name, address, secret] = ['Name', /^Address/, 'Password'].map((label) => dialog.getByLabel(label));
  const focused = () => page.evaluate('document.activeElement.id');
  await expect.poll(focused).toBe('add-id');
  await name!.fill('back door');
  await address!.fill('http://192.0.2.1/');
  await secret!.fill('hunter2-hunter2');
  await page.keyboard.press('Enter');
  await dialog.getByText('letters, digits, dot, dash').waitFor();
  await dialog.getByText('rtsp://, rtsps:// or onvif:// and').waitFor();
  await expect.poll(focused).toBe('add-id');
  expect(await name!.getAttribute('aria-invalid')).toBe('true');
  expect(await name!.getAttribute('aria-describedby')).toBe('add-id-error');
  expect(await page.locator('#add-id-error').textContent()).toContain('letters, digits');
  expect(await secret!.getAttribute('aria-invalid')).toBe('false');
  expect(await faults(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  // The button that opened it has the keyboard again.
  await expect.poll(focused).toBe('add-camera');
  await expect.poll(() => page.locator('#add-password').inputValue()).toBe('');
  expect(await page.locator('dialog .error:not(:empty)').count()).toBe(0);
});

test('whether a camera is to go is asked first', async () => {
  const { hub, page } = await openPage({ dark: true });
  hub.status(generatedStatus('lobby', 'LIVE'));
  await page.getByRole('button', { name: 'Remove lobby' }).press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Remove lobby?' });
  await dialog.waitFor();
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Cancel');
  expect(await faults(page)).toEqual([]);
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'hidden' });
  await page.getByRole('heading', { name: 'lobby' }).waitFor();
});

describe('axe finds no serious fault', () => {
  test.each([
    { name: 'dark', dark: true },
    { name: 'light', dark: false },
    { name: 'phone', dark: true, size: { width: 360, height: 740 } },
  ])('$name', async ({ name: _, ...look }) => {
    const { hub, page } = await openPage(look);
    hub.status(generatedStatus('lobby', 'LIVE'));
    hub.status(generatedStatus('door', 'REFUSED'));
    ends.push(generate(['lobby'], 2, (frames) => hub.frames(frames)));
    await page.getByRole('heading', { name: 'Face 2' }).waitFor();
    await page.getByText('Gaps: none').click();
    expect(await faults(page)).toEqual([]);
    const overflow = await page.evaluate(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );
    expect(overflow).toBe(0);
  });
});
