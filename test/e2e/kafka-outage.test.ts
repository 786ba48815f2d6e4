import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { consume } from '../../src/consume/index.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';

// AUSTREAM_OUTAGE=full: 200,000 events and 30 s without a broker, as recorded in bench/RESULTS.md.
const FULL = process.env.AUSTREAM_OUTAGE === 'full';
const EVENTS = FULL ? 200_000 : 40_000;
const OUTAGE_MS = FULL ? 30_000 : 5_000;
const TRACKS = 8;

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

/** A publishing process, and the newest of each thing that it has told. */
class Publishing {
  readonly child: ChildProcess;
  readonly told: Record<string, unknown> = {};
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
      Object.assign(this.told, message);
      this.#wake();
    });
    this.ended = new Promise((resolve) => this.child.once('exit', resolve));
  }

  /** Waits until this thing was told, and is at least as much. */
  async tells(what: string, atLeast: number): Promise<number> {
    while (!(Number(this.told[what] ?? -1) >= atLeast)) {
      if (this.child.exitCode !== null)
        throw new Error(`it ended with ${this.child.exitCode} before ${what}`);
      const told = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([told, this.ended]);
    }
    return Number(this.told[what]);
  }
}

/** Reads the topic: every event is there, in order per track, no further one after dedupe. Returns all messages' number. */
async function expectAll(topicPrefix: string): Promise<void> {
  const next = new Array<number>(TRACKS).fill(0);
  const leave = new AbortController();
  let count = 0;
  for await (const event of consume({
    ...{ brokers: [broker.address], topics: [`${topicPrefix}frames`], groupId: `check-${topicPrefix}` },
    ...{ fromBeginning: true, dedupe: EVENTS, signal: leave.signal },
  })) {
    if (event.record !== 'AuFrame') throw new Error(event.record);
    const { trackId, frame } = event.value;
    if (frame !== next[trackId - 1]!++) throw new Error(`track ${trackId}: frame ${frame} out of order`);
    if (++count === EVENTS) leave.abort();
  }
  expect(count).toBe(EVENTS);
  expect(next).toEqual(new Array(TRACKS).fill(EVENTS / TRACKS));
}

describe(`${EVENTS} events at full speed`, () => {
  test(`the broker killed for ${OUTAGE_MS / 1000} s in the middle: all arrive, in order, memory bounded`, async () => {
    const publishing = new Publishing('broker.', 0);
    await publishing.tells('acknowledged', EVENTS / 10);
    await broker.kill9();
    publishing.child.send('go on');
    await publishing.tells('done', EVENTS);
    await sleep(OUTAGE_MS);
    expect(publishing.told.stats).toMatchObject({ connected: false, spooling: true });
    await broker.restart();
    const maxRss = await publishing.tells('maxRss', 1);
    expect(await publishing.ended).toBe(0);
    expect(publishing.lost).toEqual([]);
    console.log(
      `${EVENTS} events, ${OUTAGE_MS / 1000} s outage: the publisher's memory peaked at ${maxRss} MB`,
    );
    expect(maxRss).toBeLessThan(400);
    await expectAll('broker.');
  }, 400_000);

  test('the process killed as well, and started again while the broker is away: nothing on disk is lost', async () => {
    const first = new Publishing('both.', 0);
    await first.tells('acknowledged', EVENTS / 10);
    await broker.kill9();
    first.child.send('go on');
    await first.tells('durable', EVENTS / 2 + 1000);
    first.child.kill('SIGKILL');
    await first.ended;
    // What it said to be safe is not made again; what it made after that is, as no camera would.
    const second = new Publishing('both.', Number(first.told.durable));
    second.child.send('go on');
    await second.tells('done', EVENTS);
    await sleep(OUTAGE_MS);
    await broker.restart();
    await second.tells('maxRss', 1);
    expect(await second.ended).toBe(0);
    expect([...first.lost, ...second.lost]).toEqual([]);
    await expectAll('both.');
  }, 400_000);
});
