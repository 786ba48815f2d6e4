import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import avro from 'avsc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NODES } from '../broker/kafka-cluster.ts';
import { type Collected, Collector } from './collector.ts';
import { Ledger } from './ledger.ts';
import { Random } from './random.ts';
import { type RegistryMood, ScriptedRegistry } from './scripted-registry.ts';
import { type Fault, PREFIX, SecuredCluster, until } from './secured-cluster.ts';
import type { SourceReport } from './source.ts';

const MINUTES = Number(process.env.TORTURE_MINUTES ?? 30);
const SEED = Number(process.env.TORTURE_SEED ?? 1);
/** Only the faults with this name. */
const ONLY = process.env.TORTURE_ONLY;
const CAMERAS = 4;
const TRACKS = 2;
const FPS = 25;
const FRAMES = `${PREFIX}frames`;
const ACTIVATIONS = `${PREFIX}activations`;
/** Causes of losses that a full disk, spool or memory explains. */
const FULL = ['spool_full', 'disk_full', 'kafka_away'];
/** Of the disk of the spool. The spool holds more than a minute of events: only a full disk may cost any. */
const DISK_MEGABYTES = 32;

const random = new Random(SEED);
const registry = new ScriptedRegistry();
const ledger = new Ledger(CAMERAS * TRACKS);
const started = performance.now();
let peakMegabytes = 0;
let stats: { pending?: number } = {};
let cluster: SecuredCluster;
let disk: string;
let collector: Collector;
let source: ChildProcess;
let sourceStopped: Promise<string | null>;
/** The spool has a disk of its own, which the test can fill. */
let ownDisk = false;

const say = (text: string) =>
  console.log(`${((performance.now() - started) / 1000).toFixed(0).padStart(5)} s  ${text}`);

beforeAll(async () => {
  await registry.start();
  cluster = await SecuredCluster.start(random);
  disk = join(cluster.dir, 'disk');
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MEGABYTES}m`, 'tmpfs', disk], { stdio: 'pipe' });
    ownDisk = true;
  } catch {
    say('cannot mount a disk of its own for the spool: "disk full" is left out');
  }
  startSource();
  collector = new Collector(cluster.brokers.plain, [FRAMES, ACTIVATIONS], receive);
}, 300_000);
afterAll(async () => {
  source?.kill('SIGKILL');
  await collector?.stop();
  await registry.stop();
  if (ownDisk) execFileSync('umount', [disk]);
  await cluster?.stop();
}, 120_000);

function startSource(): void {
  const kafka = {
    ...cluster.connection,
    ...{ memoryMegabytes: 4, connectSeconds: 10 },
    registry: { url: registry.url, timeoutSeconds: 2 },
    spool: { dir: join(disk, 'spool'), maxMegabytes: 24 },
    topics: { partitions: 3, replication: 3, minInsyncReplicas: 2 },
  };
  const args = { kafka, cameras: CAMERAS, tracks: TRACKS, fps: FPS, from: ledger.published };
  source = fork(fileURLToPath(new URL('source.ts', import.meta.url)), [JSON.stringify(args)]);
  const ended = Promise.withResolvers<string | null>();
  sourceStopped = ended.promise;
  source.on('message', (message: { report?: SourceReport; stopped?: boolean; failure?: string | null }) => {
    if (message.stopped) return ended.resolve(message.failure ?? null);
    const { published, acknowledged, dropped, messages, rssMegabytes } = message.report!;
    ledger.published = published;
    for (let index = 0; index < acknowledged.length; index += 2)
      ledger.acknowledged(acknowledged[index]!, acknowledged[index + 1]!, performance.now());
    for (const [, count, cause] of dropped) ledger.told(count, cause);
    for (const text of messages) say(`    ${text}`);
    peakMegabytes = Math.max(peakMegabytes, rssMegabytes);
    stats = message.report!.stats as typeof stats;
  });
  source.on('exit', (code, signal) => ended.reject(new Error(`the source ended: ${code ?? signal}`)));
  ended.promise.catch(() => {});
  source.send({ run: true });
}

const types = new Map<number, avro.Type>();
function receive(message: Collected): void {
  const { value, topic } = message;
  const id = value.readUInt32BE(1);
  expect(value[0]).toBe(0);
  let type = types.get(id);
  if (!type) {
    type = avro.Type.forSchema(JSON.parse(registry.schemaText(id)));
    types.set(id, type);
  }
  const event = type.fromBuffer(value.subarray(5)) as Record<string, unknown>;
  const track = Number(String(event.cameraId).slice(1)) * TRACKS + Number(event.trackId) - 1;
  if (topic === FRAMES) ledger.received({ kind: 'frame', track, frame: Number(event.frame) }, message);
  else
    ledger.received(
      { kind: 'activation', track, frame: Number(String(event.activationId).split('/').at(-1)) },
      message,
    );
}

/** No acknowledged event is missing at the consumer. The source rests. */
async function caughtUp(): Promise<void> {
  source.send({ run: false });
  await until('the consumer has what was acknowledged', async () => {
    const missing = () => ledger.acknowledgedOnly - ledger.balance().deleted;
    const before = missing();
    await sleep(500);
    return before === 0 && missing() === 0;
  });
}

/** Faults of the brokers' content and of this process. */
function hardFaults(): Record<string, Fault> {
  const { brokers } = cluster;
  return {
    ...cluster.faults([FRAMES, ACTIVATIONS]),
    'all brokers wiped': async (seconds) => {
      await caughtUp();
      await Promise.all(NODES.map((node) => brokers.kill9(node)));
      source.send({ run: true });
      for (const node of NODES) brokers.wipe(node);
      collector.recreated(FRAMES, ACTIVATIONS);
      await sleep(seconds * 1000);
      await Promise.all(NODES.map((node) => brokers.restart(node)));
      await cluster.reconnectAdmin();
      await cluster.grantRights();
    },
    'topic deleted': async (seconds) => {
      await caughtUp();
      const deletion = ledger.deletion();
      source.send({ run: true });
      await cluster.admin.deleteTopics({ topics: [FRAMES] });
      collector.recreated(FRAMES);
      await sleep(2000);
      deletion.end();
      await sleep(seconds * 1000);
    },
    'partitions added': async () => {
      const { topics } = await cluster.admin.fetchTopicMetadata({ topics: [FRAMES] });
      const count = topics[0]!.partitions.length + 1;
      if (count <= 9) await cluster.admin.createPartitions({ topicPartitions: [{ topic: FRAMES, count }] });
    },
    'the process restarts while brokers are away': async (seconds) => {
      await Promise.all(NODES.map((node) => brokers.kill9(node)));
      await sleep(3000);
      source.send({ stop: 500 });
      await sourceStopped;
      startSource();
      await sleep(seconds * 1000);
      await Promise.all(NODES.map((node) => brokers.restart(node)));
      await cluster.reconnectAdmin();
    },
  };
}

/** Faults of what stands around, at the same time as others. */
function softFaults(): Record<string, Fault> {
  const mood =
    (state: RegistryMood): Fault =>
    async (seconds) => {
      registry.mood = state;
      await sleep(seconds * 1000);
      registry.mood = 'ok';
    };
  const clock =
    (step: number): Fault =>
    async (seconds) => {
      source.send({ clockStep: step });
      await sleep(seconds * 1000);
      source.send({ clockStep: -step });
    };
  return {
    'registry: 404, HTML': mood('not_found_html'),
    'registry: 404 40403': mood('not_found_json'),
    'registry: 429': mood('too_many_requests'),
    'registry: 503': mood('unavailable'),
    'registry restarts': async (seconds) => {
      await registry.stop();
      await sleep(seconds * 1000);
      await registry.start();
    },
    'clock −1 h': clock(-3_600_000),
    'clock +1 h': clock(3_600_000),
    ...(ownDisk && {
      'disk full': async (seconds: number) => {
        const filler = join(disk, 'filler');
        try {
          writeFileSync(filler, Buffer.alloc(DISK_MEGABYTES * 1024 * 1024));
        } catch {
          // Full, as wanted.
        }
        await sleep(seconds * 1000);
        rmSync(filler, { force: true });
      },
    }),
  };
}

test(
  'every scored event is on the topic, or its loss was told, and each track is in order',
  async () => {
    const hard = hardFaults();
    const soft = softFaults();
    const ends = performance.now() + MINUTES * 60_000;
    await until('the first events', () => ledger.receivedCount > 100);
    let hardQueue: string[] = [];
    let softQueue: string[] = [];
    let count = 0;
    while (performance.now() < ends) {
      if (hardQueue.length === 0) hardQueue = ONLY ? [ONLY] : random.shuffled(Object.keys(hard));
      if (softQueue.length === 0) softQueue = random.shuffled(Object.keys(soft));
      const hardName = hardQueue.pop()!;
      const softName = random.next() < 0.5 ? softQueue.pop() : undefined;
      const seconds = random.between(4, 20);
      say(`${hardName}${softName ? ` + ${softName}` : ''}, ${seconds.toFixed(0)} s`);
      await Promise.all([
        hard[hardName]!(seconds),
        softName && soft[softName]!(seconds * random.between(0.5, 1.5)),
      ]);
      count += 1;
      source.send({ run: true });
      const before = ledger.receivedCount;
      await until('all replicas are in sync', () => cluster.replicasInSync());
      await until(`events flow again after: ${hardName}`, () => ledger.receivedCount > before + 100, 180);
      say(
        `  mended; ${JSON.stringify(ledger.balance())}, pending ${stats.pending}, ${peakMegabytes.toFixed(0)} MB`,
      );
    }
    source.send({ stop: 240_000 });
    expect(await sourceStopped).toBe(null);
    let last = -1;
    await until('the consumer has all', async () => {
      const same = last === ledger.receivedCount;
      last = ledger.receivedCount;
      await sleep(3000);
      return same && ledger.acknowledgedOnly === ledger.balance().deleted;
    });
    const balance = ledger.balance();
    say(`${count} faults, seed ${SEED}: ${JSON.stringify(balance)}, peak ${peakMegabytes.toFixed(0)} MB`);
    if (balance.difference !== 0) say(`missing: ${ledger.missing(40).join(' ')}`);
    if (balance.outOfOrder !== 0) say(`out of order: ${ledger.outOfOrder.slice(0, 40).join('; ')}`);
    expect(balance).toMatchObject({ difference: 0, outOfOrder: 0 });
    // Only bounds that are full lose events, never the brokers' or the registry's answers.
    expect(FULL).toEqual(expect.arrayContaining(Object.keys(balance.told)));
  },
  (MINUTES + 15) * 60_000,
);
