import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { consume } from '../../src/consume/index.ts';
import type { PublisherStats } from '../../src/publish/publisher.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';

// AUSTREAM_OUTAGE=full: 200,000 events and 30 s without a broker, as recorded in bench/RESULTS.md.
const FULL = process.env.AUSTREAM_OUTAGE === 'full';
const EVENTS = FULL ? 200_000 : 40_000;
const OUTAGE_MS = FULL ? 30_000 : 5_000;
const TRACKS = 8;
/** Frames in flight at most: the publisher's window. */
const WINDOW_MESSAGES = 10_000;
/** Peak RSS of the whole run relative to the peak before the outage. Measured: 1.5. */
const MAX_RSS_RATIO = 2;

let broker: KafkaBroker;
let dir: string;
beforeAll(async () => {
  broker = await KafkaBroker.start();
  dir = mkdtempSync(join(tmpdir(), 'austream-outage-'));
}, 600_000);
afterAll(async () => {
  await broker?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A child process that publishes, and the newest value of each field that it has reported. */
class PublisherProcess {
  readonly child: ChildProcess;
  readonly reported: Record<string, unknown> = {};
  readonly lost: unknown[] = [];
  readonly ended: Promise<number | null>;
  #wake: () => void = () => {};

  constructor(topicPrefix: string, from: number) {
    const options = {
      brokers: [broker.address],
      topicPrefix,
      dir: join(dir, topicPrefix),
      from,
      pauseAt: EVENTS / 2,
      to: EVENTS,
    };
    const script = fileURLToPath(new URL('outage-publisher.ts', import.meta.url));
    this.child = fork(script, [JSON.stringify(options)]);
    this.child.on('message', (message: Record<string, unknown>) => {
      if (message.lost) this.lost.push(message.lost);
      Object.assign(this.reported, message);
      this.#wake();
    });
    this.ended = new Promise((resolve) => this.child.once('exit', resolve));
  }

  /** Waits until the reported `field` is at least `atLeast`. */
  async waitForReport(field: string, atLeast: number): Promise<number> {
    while (!(Number(this.reported[field] ?? -1) >= atLeast)) {
      if (this.child.exitCode !== null)
        throw new Error(`the publisher ended with ${this.child.exitCode} before it reported ${field}`);
      const report = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([report, this.ended]);
    }
    return Number(this.reported[field]);
  }
}

/** Reads the topic with `dedupe`: all events exist exactly once, in order per track. */
async function expectAll(topicPrefix: string): Promise<void> {
  const next = new Array<number>(TRACKS).fill(0);
  const stop = new AbortController();
  let count = 0;
  for await (const event of consume({
    ...{ brokers: [broker.address], topics: [`${topicPrefix}frames`], groupId: `check-${topicPrefix}` },
    ...{ fromBeginning: true, dedupe: EVENTS, signal: stop.signal },
  })) {
    if (event.record !== 'AuFrame') throw new Error(event.record);
    const { trackId, frame } = event.value;
    if (frame !== next[trackId - 1]!++) throw new Error(`track ${trackId}: frame ${frame} out of order`);
    if (++count === EVENTS) stop.abort();
  }
  expect(count).toBe(EVENTS);
  expect(next).toEqual(new Array(TRACKS).fill(EVENTS / TRACKS));
}

// What README promises, for a process and its broker:
// An event that was scored arrives on its topic, or you are told.
// The events of one face arrive in order.
describe(`${EVENTS} events at full speed`, () => {
  test(`arrive completely and in order when the broker is down for ${OUTAGE_MS / 1000} s; memory stays bounded`, async () => {
    const publisher = new PublisherProcess('broker.', 0);
    await publisher.waitForReport('acknowledged', EVENTS / 10);
    const rssBefore = await publisher.waitForReport('peakRss', 1);
    await broker.kill9();
    publisher.child.send('resume');
    await publisher.waitForReport('published', EVENTS);
    await sleep(OUTAGE_MS);
    const stats = publisher.reported.stats as PublisherStats;
    expect(stats).toMatchObject({ connected: false, spooling: true, dropped: 0 });
    expect(stats.pending - stats.waiting).toBeLessThanOrEqual(WINDOW_MESSAGES);
    await broker.restart();
    await publisher.waitForReport('finished', 1);
    const peakRss = Number(publisher.reported.peakRss);
    expect(await publisher.ended).toBe(0);
    expect(publisher.lost).toEqual([]);
    console.log(
      `${EVENTS} events, ${OUTAGE_MS / 1000} s outage: peak RSS ${Math.round(peakRss)} MB, before the outage ${Math.round(rssBefore)} MB`,
    );
    expect(peakRss / rssBefore).toBeLessThan(MAX_RSS_RATIO);
    await expectAll('broker.');
  }, 400_000);

  test('arrive completely when the publisher is also killed and restarted during the outage', async () => {
    const first = new PublisherProcess('both.', 0);
    await first.waitForReport('acknowledged', EVENTS / 10);
    await broker.kill9();
    first.child.send('resume');
    await first.waitForReport('durable', EVENTS / 2 + 1000);
    first.child.kill('SIGKILL');
    await first.ended;
    // The second process goes on after the last durable event. Real cameras cannot repeat the events after it.
    const second = new PublisherProcess('both.', Number(first.reported.durable));
    second.child.send('resume');
    await second.waitForReport('published', EVENTS);
    await sleep(OUTAGE_MS);
    await broker.restart();
    await second.waitForReport('finished', 1);
    expect(await second.ended).toBe(0);
    expect([...first.lost, ...second.lost]).toEqual([]);
    await expectAll('both.');
  }, 400_000);
});
