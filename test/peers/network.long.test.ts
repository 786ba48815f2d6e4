import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordType } from '../../src/records/avro.ts';
import { BrokerProxy } from '../broker/broker-proxy.ts';
import { freePorts } from '../broker/java.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { type Collected, Collector } from '../torture/collector.ts';
import { Ledger } from '../torture/ledger.ts';
import type { SourceReport } from '../torture/source.ts';

const SOURCE = fileURLToPath(new URL('../torture/source.ts', import.meta.url));
const CAMERAS = 4;
const TRACKS = 2;
const FPS = 25;
/** Of Avro's single-object encoding. */
const HEADER_BYTES = 10;

interface NetworkCase {
  readonly name: string;
  /** How long the fault lasts. */
  readonly seconds: number;
  /** Events wait, and the publisher says so. Otherwise they flow all the time. */
  readonly held: boolean;
  begin(proxy: BrokerProxy): void | Promise<void>;
}

const CASES: readonly NetworkCase[] = [
  {
    ...{ name: '300 ms each way, 200 ms jitter', seconds: 15, held: false },
    begin: (proxy) => proxy.set({ latencyMs: 300, jitterMs: 200 }),
  },
  {
    ...{ name: '4 s each way', seconds: 30, held: true },
    begin: (proxy) => proxy.set({ latencyMs: 4000, jitterMs: 500 }),
  },
  {
    ...{ name: '4 KB/s, less than the events need', seconds: 30, held: true },
    begin: (proxy) => proxy.set({ bytesPerSecond: 4096 }),
  },
  {
    ...{ name: 'a reset every second', seconds: 15, held: false },
    begin: async (proxy) => {
      for (let count = 0; count < 15; count += 1) {
        proxy.resetConnections();
        await sleep(1000);
      }
    },
  },
  {
    ...{ name: 'resets in the middle of requests', seconds: 20, held: false },
    begin: (proxy) => proxy.set({ resetAfterBytes: 20_000 }),
  },
  { name: 'connections refused', seconds: 15, held: true, begin: (proxy) => proxy.refuse() },
  {
    ...{ name: 'a black hole', seconds: 90, held: true },
    begin: (proxy) => proxy.set({ blackHole: 'both' }),
  },
  {
    // What was sent is stored, and sent again later.
    ...{ name: 'a black hole for answers', seconds: 90, held: true },
    begin: (proxy) => proxy.set({ blackHole: 'answers' }),
  },
  {
    ...{ name: 'connections forgotten by a firewall', seconds: 5, held: true },
    begin: (proxy) => proxy.forgetConnections(),
  },
];

let broker: KafkaBroker;
let proxy: BrokerProxy;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'austream-network-'));
  const [port] = await freePorts(1);
  proxy = await BrokerProxy.start(port!);
  broker = await KafkaBroker.start({
    further: { protocol: 'PLAINTEXT', listen: `127.0.0.1:${port}`, advertised: proxy.address },
  });
}, 600_000);
afterAll(async () => {
  await proxy?.stop();
  await broker?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A source of events behind the proxy, and a ledger of what it published, said and delivered. */
class Run {
  readonly ledger = new Ledger(CAMERAS * TRACKS);
  readonly messages: string[] = [];
  pending = 0;
  readonly #source: ChildProcess;
  readonly #collector: Collector;
  readonly #stopped = Promise.withResolvers<string | null>();

  constructor(topicPrefix: string) {
    const kafka = {
      ...{ brokers: [proxy.address], topicPrefix, memoryMegabytes: 1, topics: { partitions: 3 } },
      spool: { dir: join(dir, topicPrefix) },
    };
    const args = { kafka, cameras: CAMERAS, tracks: TRACKS, fps: FPS, from: 0 };
    this.#source = fork(SOURCE, [JSON.stringify(args)]);
    this.#source.on('message', (message: { report?: SourceReport; stopped?: true; failure?: string }) => {
      if (message.report) this.#report(message.report);
      if (message.stopped) this.#stopped.resolve(message.failure ?? null);
    });
    this.#source.on('exit', (code) => this.#stopped.reject(new Error(`the source ended: ${code}`)));
    this.#stopped.promise.catch(() => {});
    this.#source.send({ run: true });
    const topics = [`${topicPrefix}frames`, `${topicPrefix}activations`];
    this.#collector = new Collector([broker.address], topics, (message) => this.#receive(message));
  }

  #report({ published, acknowledged, dropped, messages, stats }: SourceReport): void {
    this.ledger.published = published;
    for (let index = 0; index < acknowledged.length; index += 2)
      this.ledger.acknowledged(acknowledged[index]!, acknowledged[index + 1]!, performance.now());
    for (const [, count, cause] of dropped) this.ledger.told(count, cause);
    this.messages.push(...messages);
    this.pending = (stats as { pending: number }).pending;
  }

  #receive(message: Collected): void {
    const kind = message.topic.endsWith('frames') ? 'frame' : 'activation';
    const type = recordType(kind === 'frame' ? 'AuFrame' : 'AuActivation');
    const event = type.fromBuffer(message.value.subarray(HEADER_BYTES));
    const track = Number(event.cameraId.slice(1)) * TRACKS + event.trackId - 1;
    const frame = kind === 'frame' ? event.frame : Number(event.activationId.split('/').at(-1));
    this.ledger.received({ kind, track, frame }, message);
  }

  /** The source flushes and ends. Null, or why events are left. */
  async stop(): Promise<string | null> {
    this.#source.send({ stop: 120_000 });
    return await this.#stopped.promise;
  }

  async close(): Promise<void> {
    this.#source.kill('SIGKILL');
    await this.#collector.stop();
  }
}

test.each(CASES)(
  '$name: nothing is lost, each track is in order, what waits is told',
  async (network) => {
    const run = new Run(`${network.name.replaceAll(/\W+/g, '-')}.`);
    try {
      await expect.poll(() => run.ledger.receivedCount, { timeout: 60_000 }).toBeGreaterThan(200);
      const began = performance.now();
      run.messages.length = 0;
      const before = run.ledger.receivedCount;
      await network.begin(proxy);
      const told = () => run.messages.some((message) => message.includes('held kafka_unreachable'));
      if (network.held) await expect.poll(told, { timeout: 20_000 }).toBe(true);
      else
        await expect.poll(() => run.ledger.receivedCount, { timeout: 60_000 }).toBeGreaterThan(before + 500);
      await sleep(Math.max(0, network.seconds * 1000 - (performance.now() - began)));

      run.messages.length = 0;
      proxy.set();
      if (network.name === 'connections refused') await proxy.listen();
      await expect.poll(() => run.pending, { timeout: 120_000 }).toBeLessThan(CAMERAS * TRACKS * FPS);
      expect(await run.stop()).toBeNull();
      const missing = () => run.ledger.balance().difference;
      await expect.poll(missing, { timeout: 30_000 }).toBe(0);
      expect(run.ledger.balance()).toMatchObject({ difference: 0, outOfOrder: 0, told: {} });
    } finally {
      proxy.set();
      await run.close();
    }
  },
  400_000,
);
