import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { cameraOptions } from '../../src/camera/options.ts';
import type { DashboardStore } from '../../src/dashboard/store.ts';
import type { CameraSet } from '../../src/ingest/host/camera-set.ts';
import { faceCrop, frameOf } from '../infer/faces.ts';
import { axeViolations } from './axe.ts';
import { launchBrowser } from './browser.ts';
import { generate, generatedFrame, generatedStatus } from './generated.ts';
import { serveLivePage } from './serve.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface PageOptions {
  showVideo?: boolean;
  token?: string;
  dark?: boolean;
  size?: { width: number; height: number };
}

/** Opens a page on a server of its own. Page errors, console errors and requests to other hosts fail the test. */
async function openPage(
  options: PageOptions = {},
): Promise<{ store: DashboardStore; cameras: CameraSet; page: Page; url: string }> {
  const { store, cameras, url, close } = await serveLivePage({
    showVideo: options.showVideo ?? false,
    ...(options.token ? { http: { token: options.token } } : {}),
  });
  cleanups.push(close);
  const context = await browser.newContext({
    viewport: options.size ?? { width: 1280, height: 900 },
    colorScheme: options.dark ? 'dark' : 'light',
  });
  cleanups.push(() => context.close());
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/ 4(0[0139]|29) /.test(message.text())) problems.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) problems.push(`foreign request: ${request.url()}`);
  });
  cleanups.push(() => expect(problems).toEqual([]));
  await page.goto(url);
  return { store, cameras, page, url };
}

const plotPixels = (page: Page) =>
  page.evaluate(`document.querySelector('.plot canvas').toDataURL()`) as Promise<string>;

test('a camera and its face appear; curves, numbers and texts are updated', async () => {
  const { store, page } = await openPage();
  await page.getByText('Waiting for a camera').waitFor();
  store.updateCamera(generatedStatus('lobby', 'LIVE'));
  cleanups.push(generate(['lobby'], 1, (frames) => store.addFrames(frames)));
  await page.getByRole('heading', { name: 'lobby' }).waitFor();
  await page.getByRole('heading', { name: 'Face 1' }).waitFor();
  const value = page.locator('.labels li').nth(6).locator('.value');
  await expect.poll(() => value.textContent()).toMatch(/^\d\.\d\d$/);
  const [first, picture] = [await value.textContent(), await plotPixels(page)];
  await expect.poll(() => value.textContent()).not.toBe(first);
  await expect.poll(() => plotPixels(page)).not.toBe(picture);
  await expect.poll(() => page.locator('.summary').textContent()).toMatch(/Active: .*\(\d+\)/);
  await expect.poll(() => page.locator('.muscle.active').count()).toBeGreaterThan(0);
});

test('a failed camera turns red and shows the reason; after recovery its gap is listed', async () => {
  const { store, page } = await openPage();
  const card = page.locator('.camera');
  const color = () => page.evaluate(`getComputedStyle(document.querySelector('.camera')).borderTopColor`);
  store.updateCamera(generatedStatus('lobby', 'LIVE'));
  await card.waitFor();
  expect(await color()).toBe('rgb(18, 128, 92)');
  store.updateCamera(generatedStatus('lobby', 'RECONNECTING'));
  await expect.poll(color).toBe('rgb(198, 40, 40)');
  await page.getByText('▲ reconnecting').waitFor();
  expect(await page.locator('#announcements').textContent()).toBe(
    'lobby is reconnecting: the camera does not answer',
  );
  const at = Date.now() * 1_000;
  const gap = { from: at - 7e6, to: at, cause: 'CAMERA_UNREACHABLE', framesLost: null };
  store.updateCamera(generatedStatus('lobby', 'LIVE', { gap }));
  await expect.poll(color).toBe('rgb(18, 128, 92)');
  await page.getByText('Gaps: 1').click();
  expect(await page.locator('tbody td').allTextContents()).toEqual([
    'lobby',
    expect.stringMatching(/^\d\d:\d\d:\d\d$/),
    '7.0',
    'CAMERA_UNREACHABLE',
  ]);
});

test('the keyboard moves the slider back in time and returns to live', async () => {
  const { store, page } = await openPage();
  const now = Date.now() * 1_000;
  store.updateCamera(generatedStatus('lobby', 'LIVE'));
  // A face that was in sight from 90 to 60 seconds ago.
  for (let frame = 0; frame < 750; frame++)
    store.addFrames([
      generatedFrame({ cameraId: 'lobby', trackId: 1, frame, receivedAt: now - 90e6 + frame * 40_000 }),
    ]);
  await page.getByText('No face in sight').waitFor();
  // Frames arrive with the tick after the status.
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
  // The numbers appear one drawn frame after the heading.
  await expect.poll(() => page.locator('.labels').textContent()).toMatch(/puller\d/);
  const held = await page.locator('.labels').textContent();
  await page.waitForTimeout(400);
  expect(await page.locator('.labels').textContent()).toBe(held);
  await page.locator('#live').press('Enter');
  await page.getByText('No face in sight').waitFor();
});

test('a new page starts live, even if old faces have left', async () => {
  const { store, page } = await openPage();
  store.updateCamera(generatedStatus('lobby', 'LIVE'));
  const now = Date.now() * 1_000;
  for (let frame = 0; frame < 50; frame++)
    store.addFrames([
      generatedFrame({ cameraId: 'lobby', trackId: 1, frame, receivedAt: now - 40e6 + frame * 40_000 }),
    ]);
  await page.reload();
  cleanups.push(generate(['lobby'], 2, (frames) => store.addFrames(frames)));
  await page.getByRole('heading', { name: 'Face 2' }).waitFor();
  await expect.poll(() => page.locator('#shown').textContent()).toMatch(/^live, \d\.\d s behind$/);
  await page.waitForTimeout(1_000);
  expect(await page.locator('#shown').textContent()).toMatch(/^live, \d\.\d s behind$/);
});

test('scores that arrive many seconds late are shown', async () => {
  const { store, page } = await openPage();
  store.updateCamera(generatedStatus('lobby', 'LIVE'));
  let frame = 0;
  const timer = setInterval(() => {
    const receivedAt = (Date.now() - 15_000) * 1_000;
    store.addFrames([generatedFrame({ cameraId: 'lobby', trackId: 1, frame: frame++, receivedAt })]);
  }, 40);
  cleanups.push(() => clearInterval(timer));
  await page.getByRole('heading', { name: 'Face 1' }).waitFor();
  const value = page.locator('.value').first();
  await expect.poll(() => value.textContent()).toMatch(/^\d/);
  await expect.poll(() => page.locator('#shown').textContent()).toMatch(/^live, 15\.\d s behind$/);
});

test('an unreliable face shows the reason and no scores', async () => {
  const { store, page } = await openPage();
  store.updateCamera(generatedStatus('lobby', 'LIVE'));
  const receivedAt = Date.now() * 1_000;
  store.addFrames([
    generatedFrame({ cameraId: 'lobby', trackId: 1, frame: 1, receivedAt, unreliable: true }),
  ]);
  await page.getByText('turned away: not scored').waitFor();
  expect(new Set(await page.locator('.value').allTextContents())).toEqual(new Set(['–']));
});

test('crops of faces are drawn only with showVideo', async () => {
  for (const showVideo of [true, false]) {
    const { store, page } = await openPage({ showVideo });
    const requests: string[] = [];
    page.on('request', (request) => {
      if (request.url().includes('/pictures/')) requests.push(request.url());
    });
    const crop = faceCrop({ frame: 1, shade: 200, live: true });
    store.updateCamera(generatedStatus('cam', 'LIVE', { width: 200, height: 200 }));
    store.addCrops(frameOf([{ ...crop, epoch: 1 }]));
    const box = { x: 0, y: 0, w: 200, h: 200 };
    cleanups.push(
      generate(['cam'], 1, (frames) => store.addFrames(frames.map((frame) => ({ ...frame, box })))),
    );
    await page.getByRole('heading', { name: 'Face 1' }).waitFor();
    const colors = (x: number, y: number, width: number, height: number) =>
      page.evaluate(
        `Array.from(document.querySelector('.face-boxes').getContext('2d').getImageData(${x}, ${y}, ${width}, ${height}).data)`,
      ) as Promise<number[]>;
    const corner = () => colors(20, 30, 1, 1);
    if (showVideo) await expect.poll(corner).toEqual([200, 200, 200, 255]);
    else {
      // Once the outline is drawn, a crop would follow within a second.
      const outlined = async () =>
        (await colors(0, 0, 200, 200)).some((value, n) => n % 4 === 3 && value > 100);
      await expect.poll(outlined).toBe(true);
      await page.waitForTimeout(1_000);
      expect(await corner()).toEqual([0, 0, 0, 0]);
    }
    expect(requests.length > 0).toBe(showVideo);
  }
});

test('the page asks for the token and opens with it', async () => {
  const { store, page } = await openPage({ token: 'sixteen-letters-at-least' });
  store.updateCamera(generatedStatus('lobby', 'LIVE'));
  expect(await axeViolations(page)).toEqual([]);
  await page.getByLabel('Token').fill('sixteen-letters-at-leas');
  await page.getByRole('button').click();
  await page.getByText('this token is not valid').waitFor();
  await page.getByLabel('Token').fill('sixteen-letters-at-least');
  await page.getByRole('button').click();
  await page.getByRole('heading', { name: 'lobby' }).waitFor();
  expect(page.url()).not.toContain('sixteen');
});

test('an invalid camera is refused with a message at each field, and the form is cleared on close', async () => {
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
  expect(await axeViolations(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  // The focus returns to the button that opened the dialog.
  await expect.poll(focused).toBe('add-camera');
  await expect.poll(() => page.locator('#add-password').inputValue()).toBe('');
  expect(await page.locator('dialog .error:not(:empty)').count()).toBe(0);
});

test('a camera is paused and resumed with a button; masks and zones are drawn over its picture', async () => {
  const { cameras, page } = await openPage({ dark: true });
  const right = [
    [0.5, 0],
    [1, 0],
    [1, 1],
    [0.5, 1],
  ];
  const options = {
    detect: { masks: [right], zones: [{ id: 'door', polygon: right.map(([x, y]) => [1 - x!, y]) }] },
  };
  await cameras.add(cameraOptions.parse({ id: 'lobby', url: 'rtsp://127.0.0.1:9/', ...options }));
  await page.getByRole('img', { name: 'Face boxes in the frame of lobby; masks: 1; zones: door' }).waitFor();
  const opacity = (share: number) =>
    page.evaluate(`(() => {
      const canvas = document.querySelector('canvas.face-boxes');
      const [x, y] = [Math.floor(canvas.width * ${share}), Math.floor(canvas.height / 2)];
      return canvas.getContext('2d').getImageData(x, y, 1, 1).data[3];
    })()`);
  await expect.poll(() => opacity(0.75)).toBeGreaterThan(50);
  expect(await opacity(0.25)).toBe(0);
  const state = () => cameras.list()[0]!.status!;
  await page.getByRole('button', { name: 'Pause lobby' }).press('Enter');
  await expect.poll(() => state().state).toBe('PAUSED');
  expect(state().detail).toContain('paused by an operator through the live page');
  await page.getByText('‖ paused').waitFor();
  await page.getByRole('button', { name: 'Resume lobby' }).press('Enter');
  await expect.poll(() => state().state).not.toBe('PAUSED');
  await page.getByRole('button', { name: 'Pause lobby' }).waitFor();
});

test('removing a camera needs a confirmation', async () => {
  const { store, page } = await openPage({ dark: true });
  store.updateCamera(generatedStatus('lobby', 'LIVE'));
  await page.getByRole('button', { name: 'Remove lobby' }).press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Remove lobby?' });
  await dialog.waitFor();
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Cancel');
  expect(await axeViolations(page)).toEqual([]);
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'hidden' });
  await page.getByRole('heading', { name: 'lobby' }).waitFor();
});

describe('axe finds no serious violation', () => {
  test.each([
    { name: 'dark', dark: true },
    { name: 'light', dark: false },
    { name: 'phone', dark: true, size: { width: 360, height: 740 } },
  ])('$name', async ({ name: _, ...options }) => {
    const { store, page } = await openPage(options);
    store.updateCamera(generatedStatus('lobby', 'LIVE'));
    store.updateCamera(generatedStatus('door', 'REFUSED'));
    cleanups.push(generate(['lobby'], 2, (frames) => store.addFrames(frames)));
    await page.getByRole('heading', { name: 'Face 2' }).waitFor();
    await page.getByText('Gaps: none').click();
    expect(await axeViolations(page)).toEqual([]);
    const overflow = await page.evaluate(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );
    expect(overflow).toBe(0);
  });
});
