import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Simulator } from '../../src/simulate/simulator.ts';
import { launchBrowser } from './browser.ts';

const CLIP = 'models/demo/clip.mp4';

let simulator: Simulator;
let austream: ChildProcess;
let browser: Browser;
let page: Page;
/** Log lines of austream so far. */
const logged: { time: number; msg: string }[] = [];
const folder = mkdtempSync(join(tmpdir(), 'austream-page-'));

const config = join(folder, 'config.yaml');

function writeConfig(users: readonly object[] = []): void {
  writeFileSync(
    config,
    JSON.stringify({
      cameras: [{ id: 'lobby', url: simulator.urls[0] }],
      kafka: { embedded: true },
      http: { port: 0 },
      dashboard: { users },
      // A test adds a camera on this machine through the page.
      cluster: { sources: { networks: ['127.0.0.0/8'] } },
      control: { socket: join(folder, 'control.sock') },
      // Generous limits: on a loaded machine a slow or refused camera would fail these tests.
      ingest: { stallSeconds: 60, maxAgeSeconds: 60, maxCameras: 4 },
    }),
  );
}

beforeAll(async () => {
  simulator = await Simulator.start({ sources: [CLIP] });
  writeConfig();
  austream = spawn('bin/austream', ['run', '-c', config, '--dashboard'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const address = await pageAddress(austream);
  // Its output is no terminal, so nothing that it prints opens the page.
  expect(address).not.toContain('token');
  const { stdout } = await promisify(execFile)('bin/austream', ['dashboard', '-c', config]);
  const link = stdout.trim();
  expect(link).toMatch(new RegExp(`^${address}\\?token=[\\w-]{43}$`));
  browser = await launchBrowser();
  page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(link);
  await page.waitForURL(address);
});

afterAll(async () => {
  await browser?.close();
  if (austream?.exitCode === null && austream.signalCode === null) {
    austream.kill('SIGTERM');
    await once(austream, 'exit');
  }
  await simulator?.stop();
  rmSync(folder, { recursive: true });
});

/** The page's URL, from the log line that reports it. */
async function pageAddress(child: ChildProcess): Promise<string> {
  const received: string[] = [];
  const lines = createInterface({ input: child.stderr! });
  // Reads to the end: a full pipe would block austream.
  lines.on('line', (line) => logged.push(JSON.parse(line)));
  for await (const [line] of on(lines, 'line', { close: ['close'] })) {
    received.push(line);
    const { page } = JSON.parse(line) as { page?: string };
    if (page) return page;
  }
  throw new Error(`austream ended: ${received.join('\n')}`);
}

const within = (seconds: number) => ({ timeout: seconds * 1_000, interval: 100 });
const severity = () => page.locator('.camera').first().getAttribute('data-severity');

test('the camera appears, and its curves follow the face', async () => {
  await page.getByRole('heading', { name: 'lobby' }).waitFor();
  await page
    .getByRole('heading', { name: /^Face \d+$/ })
    .first()
    .waitFor();
  await expect.poll(severity).toBe('good');
  const labels = new Set<string>();
  await expect
    .poll(async () => {
      labels.add((await page.locator('.labels').first().textContent())!);
      return labels.size;
    }, within(40))
    .toBeGreaterThan(10);
  await expect.poll(() => page.locator('.camera dd').first().textContent(), within(40)).toMatch(/^\d+\.\d$/);
}, 180_000);

test('a camera that stops turns red, and recovers with a gap in the list', async ({ annotate }) => {
  await page.evaluate(`{
    const card = document.querySelector('.camera');
    const observer = new MutationObserver(() => {
      if (card.dataset.severity !== 'bad') return;
      globalThis.redAt = Date.now();
      observer.disconnect();
    });
    observer.observe(card, { attributeFilter: ['data-severity'] });
  }`);
  const stoppedAt = Date.now();
  await simulator.fault({ op: 'stop' });
  await expect.poll(severity, within(30)).toBe('bad');
  const red = (await page.evaluate('redAt')) as number;
  // The page may be updated before this process has read the log.
  const line = () => logged.find(({ msg, time }) => time >= stoppedAt && /RECONNECTING|STALLED/.test(msg));
  await expect.poll(line).toBeDefined();
  const loggedAt = line()!.time;
  await annotate(`red ${red - stoppedAt} ms after the stop, ${red - loggedAt} ms after the log line`);
  // An outage shorter than ingest.gapSeconds is no gap.
  await setTimeout(1_500);
  await simulator.fault({ op: 'start' });
  await expect.poll(severity, within(60)).toBe('good');
  await page.getByText(/^Gaps: [1-9]/).waitFor();
  await page
    .getByRole('heading', { name: /^Face \d+$/ })
    .first()
    .waitFor();
}, 180_000);

test('a camera with a password is added on the page, turns live, and is removed again', async () => {
  const other = await Simulator.start({ sources: [CLIP], user: 'admin', password: 'open-sesame' });
  try {
    await page.getByRole('button', { name: 'Add camera' }).click();
    const dialog = page.getByRole('dialog', { name: 'Add a camera' });
    await dialog.getByLabel('Name').fill('door');
    await dialog.getByLabel(/^Address/).fill(other.urls[0]!);
    await dialog.getByLabel(/^User/).fill('admin');
    await dialog.getByLabel('Password').fill('open-sesame');
    await page.keyboard.press('Enter');
    const card = page.getByRole('region', { name: 'door' });
    await dialog.waitFor({ state: 'hidden' });
    await expect.poll(() => card.getAttribute('data-severity'), within(60)).toBe('good');
    // There may be two for a moment: a change of the clock source starts a new epoch.
    await card
      .getByRole('heading', { name: /^Face \d+$/ })
      .first()
      .waitFor();
    expect(await page.content()).not.toContain('open-sesame');
    expect(JSON.stringify(logged)).not.toContain('open-sesame');

    await card.getByRole('button', { name: 'Remove door' }).click();
    await page.getByRole('dialog', { name: 'Remove door?' }).getByRole('button', { name: 'Remove' }).click();
    await card.waitFor({ state: 'detached' });
    await expect.poll(() => page.locator('#announcements').textContent()).toBe('door was removed');
    // The dialog closes with the HTTP response; the removal arrives over the event stream.
    await expect.poll(() => page.locator('dialog[open]').count()).toBe(0);
    // The other camera is not affected.
    expect(await page.getByRole('region', { name: 'lobby' }).getAttribute('data-severity')).toBe('good');
  } finally {
    await other.stop();
  }
}, 180_000);

test('people of the config file come and go while it runs', async () => {
  const authorization = 'Bearer alice-token-of-many-letters';
  const status = async () =>
    (await fetch(new URL('/pictures/x', page.url()), { headers: { authorization } })).status;
  expect(await status()).toBe(401);
  writeConfig([{ name: 'alice', role: 'view', token: authorization.split(' ')[1] }]);
  // A picture that does not exist: she is let in. Few attempts: wrong tokens are slowed down.
  const seldom = { timeout: 60_000, interval: 3_000 };
  await expect.poll(status, seldom).toBe(404);
  writeConfig();
  await expect.poll(status, seldom).toBe(401);
  expect(JSON.stringify(logged)).not.toContain('alice-token');
}, 180_000);
