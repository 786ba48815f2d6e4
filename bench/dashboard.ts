/**
 * Load test of the live page: 50 generated faces at 25 frames a second, a real server and a real browser.
 * Prints animation frames per second, redraws per visible curve, and the memory of page and server over time, and at
 * the end the delay from a camera's status in the server to the colour of its card.
 * Usage: node bench/dashboard.ts [seconds]   (default 60; memory over ten minutes: 600)
 */
import { readFileSync } from 'node:fs';
import type { CDPSession, Page } from 'playwright-core';
import { Access } from '../src/dashboard/access/access.ts';
import { dashboardOptions } from '../src/dashboard/options.ts';
import { serveDashboard } from '../src/dashboard/server.ts';
import { DashboardStore } from '../src/dashboard/store.ts';
import { createHttpServer } from '../src/http/server.ts';
import { launchBrowser } from '../test/dashboard/browser.ts';
import { emptyCameraSet } from '../test/dashboard/empty-camera-set.ts';
import { generate, generatedFrame, generatedStatus } from '../test/dashboard/generated.ts';

const CAMERAS = ['lobby', 'entrance'];
const FACES_EACH = 25;
const seconds = Number(process.argv[2] ?? 60);

const store = new DashboardStore({ showVideo: false });
// Starts with a full history: every ring buffer is full, so any further growth is a leak.
const now = Date.now() * 1_000;
for (const cameraId of CAMERAS)
  for (let trackId = 1; trackId <= FACES_EACH; trackId++)
    for (let frame = 0; frame < 7_500; frame++)
      store.addFrames([
        generatedFrame({ cameraId, trackId, frame, receivedAt: now - (7_500 - frame) * 40_000 - 640_000 }),
      ]);

const http = { host: '127.0.0.1', port: 0 };
const server = createHttpServer(http);
await serveDashboard(server, {
  store,
  thresholds: new Float32Array(12).fill(0.5),
  cameras: emptyCameraSet(store),
  access: new Access(http, dashboardOptions.parse({ open: true })),
});
const url = await server.listen({ host: '127.0.0.1', port: 0 });
for (const id of CAMERAS) store.updateCamera(generatedStatus(id, 'LIVE'));
const stop = generate(CAMERAS, FACES_EACH, (frames) => store.addFrames(frames));

const browser = await launchBrowser();
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
await page.addInitScript(countersScript());
await page.goto(url);
await page.waitForTimeout(5_000);
const session = await page.context().newCDPSession(page);
await session.send('Performance.enable');

const rows = [];
const step = Math.max(10, Math.round(seconds / 10));
for (let at = 0; at < seconds; at += step) rows.push(await measure(page, session, step));
console.table(rows);
console.table([await stateDelays(page, 40)]);

await browser.close();
stop();
await server.close();

async function measure(on: Page, cdp: CDPSession, forSeconds: number) {
  await on.evaluate('counters.reset()');
  await on.waitForTimeout(forSeconds * 1_000);
  const counted = (await on.evaluate('counters.read()')) as Record<string, number>;
  await cdp.send('HeapProfiler.collectGarbage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const heap = metrics.find(({ name }) => name === 'JSHeapUsedSize')!.value;
  return {
    ...counted,
    pageHeapMB: Math.round(heap / 1e5) / 10,
    pageMB: await rendererMegabytes(),
    nodes: metrics.find(({ name }) => name === 'Nodes')!.value,
    serverMB: Math.round(process.memoryUsage().rss / 1e6),
  };
}

/** Milliseconds from a status in this process to the card that shows it; both use this machine's clock. */
async function stateDelays(on: Page, changes: number) {
  await on.evaluate(`{
    globalThis.changed = [];
    const card = document.querySelector('.camera');
    let state = card.dataset.state;
    new MutationObserver(() => {
      if (card.dataset.state === state) return;
      state = card.dataset.state;
      changed.push(performance.timeOrigin + performance.now());
    }).observe(card, { attributeFilter: ['data-state'] });
  }`);
  const sent: number[] = [];
  for (let n = 0; n < changes; n++) {
    sent.push(performance.timeOrigin + performance.now());
    store.updateCamera(generatedStatus(CAMERAS[0]!, n % 2 === 0 ? 'RECONNECTING' : 'LIVE'));
    await on.waitForTimeout(237);
  }
  const seen = (await on.evaluate('changed')) as number[];
  const delays = seen.map((at, n) => Math.round(at - sent[n]!)).sort((a, b) => a - b);
  return {
    stateChanges: changes,
    seen: seen.length,
    medianMs: delays[delays.length >> 1],
    longestMs: delays.at(-1),
  };
}

/** Resident memory of the page's process, which includes typed arrays and canvases; the JS heap does not. */
async function rendererMegabytes(): Promise<number> {
  const cdp = await browser.newBrowserCDPSession();
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
  await cdp.detach();
  const pages = processInfo.filter(({ type }) => type === 'renderer');
  const kilobytes = pages.map(({ id }) =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]),
  );
  return Math.round(Math.max(...kilobytes) / 1_024);
}

/** Script for the page: counts animation frames, the longest pause between two, and redraws of curves. */
function countersScript(): string {
  return `
    globalThis.counters = { frames: 0, longest: 0, draws: 0, since: 0, last: 0,
      reset() { this.frames = this.longest = this.draws = 0; this.since = this.last = performance.now(); },
      read() {
        const seconds = (performance.now() - this.since) / 1000;
        const visible = [...document.querySelectorAll('.plot canvas')]
          .filter((c) => { const r = c.getBoundingClientRect(); return r.bottom > 0 && r.top < innerHeight; }).length;
        return { animationFps: Math.round(this.frames / seconds * 10) / 10, longestPauseMs: Math.round(this.longest),
          curvesVisible: visible, drawsPerCurve: Math.round(this.draws / seconds / visible * 10) / 10 };
      } };
    addEventListener('load', () => {
      const tick = (now) => { counters.frames++; counters.longest = Math.max(counters.longest, now - counters.last);
        counters.last = now; requestAnimationFrame(tick); };
      requestAnimationFrame(tick);
    });
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...a) {
      if (this.canvas.parentElement?.classList.contains('u-wrap')) counters.draws++;
      return clear.apply(this, a);
    };`;
}
