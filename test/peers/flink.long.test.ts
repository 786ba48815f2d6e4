import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuFrame } from '../../src/domain/event.ts';
import { AU_NAMES } from '../../src/domain/scores.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { mavenJars } from '../broker/jars.ts';
import { kill9, startJava } from '../broker/java.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { TestRegistry } from '../broker/test-registry.ts';
import { frameNumber } from '../records/samples.ts';

const FLINK = fileURLToPath(new URL('flink/', import.meta.url));
const EXAMPLE = fileURLToPath(new URL('../../examples/sql/flink.sql', import.meta.url));
const START = 1_700_000_000_000_000;
const WINDOW = 10_000_000;
const LATENESS = 5_000_000;
/** Four tracks on six partitions. The first two differ in the epoch only. */
const FACES = [
  { cameraId: 'lobby', trackId: 1, epoch: 1 },
  { cameraId: 'lobby', trackId: 1, epoch: 2 },
  { cameraId: 'door', trackId: 1, epoch: 1 },
  { cameraId: 'gate.north', trackId: 7, epoch: 1 },
] as const;
const UNSCORED = Object.fromEntries(AU_NAMES.map((name) => [name, null])) as AuFrame['aus'];

let broker: KafkaBroker;
let registry: TestRegistry;
let dir: string;
let flink: ChildProcess | null = null;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'austream-flink-'));
  [broker, registry] = await Promise.all([KafkaBroker.start(), TestRegistry.start()]);
  await mavenJars('flink', FLINK);
}, 600_000);
afterAll(async () => {
  await kill9(flink);
  await broker?.stop();
  await registry?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Frames of all faces. Some faces are too small for scores, and one comes from a model without AU12. */
function framesOf(number: number): AuFrame[] {
  return FACES.map((face, index) => {
    const frame = { ...frameNumber(number, face), captureTime: START + number * 40_000 };
    if (number % 11 === index)
      return { ...frame, quality: { ...frame.quality, unreliable: 'too_small' }, aus: UNSCORED };
    return index === 2 && number % 5 === 0 ? { ...frame, aus: { ...frame.aus, au12: null } } : frame;
  });
}

/** What the query means: face and start of the window → share. Windows that the watermark has passed. */
function expectedShares(frames: readonly AuFrame[]): Map<string, number> {
  const watermark = Math.max(...frames.map(({ captureTime }) => captureTime)) - LATENESS;
  const counts = new Map<string, { both: number; all: number }>();
  for (const { cameraId, epoch, trackId, captureTime, quality, warmup, aus } of frames) {
    const start = captureTime - (captureTime % WINDOW);
    if (start + WINDOW > watermark || quality.unreliable || warmup || !aus.au06 || !aus.au12) continue;
    const key = [cameraId, epoch, trackId, start].join();
    const { both, all } = counts.get(key) ?? { both: 0, all: 0 };
    counts.set(key, { both: both + Number(aus.au06.active && aus.au12.active), all: all + 1 });
  }
  return new Map([...counts].map(([key, { both, all }]) => [key, both / all]));
}

function rows(log: string): [string, number][] {
  const lines = readFileSync(log, 'utf8').split('\n');
  // The last line may be incomplete.
  return lines.slice(0, -1).flatMap((line) => {
    const [kind, cameraId, epoch, trackId, start, share] = line.split('\t');
    if (kind !== '+I') return [];
    return [[[cameraId, epoch, trackId, Date.parse(`${start}Z`) * 1000].join(), Number(share)]];
  });
}

test('Flink runs examples/sql/flink.sql, and its shares are right', async () => {
  const publisher = await openPublisher(
    kafkaOptions.parse({ brokers: [broker.address], registry: { url: registry.url } }),
    { acknowledged: () => {}, dropped: () => expect.unreachable('nothing may be lost') },
  );
  const frames: AuFrame[] = [];
  const publish = async (from: number, to: number) => {
    for (let number = from; number < to; number += 1) {
      const faces = framesOf(number);
      frames.push(...faces);
      publisher.frames(faces);
      // Redeliveries.
      if (number % 7 === 0) publisher.frames(faces);
    }
    await publisher.flush(30_000);
  };
  await publish(0, 2000);

  const sql = readFileSync(EXAMPLE, 'utf8')
    .replace("'localhost:9092'", `'${broker.address}'`)
    .replace("'http://localhost:8081'", `'${registry.url}'`);
  expect(sql).not.toContain('localhost');
  writeFileSync(join(dir, 'flink.sql'), sql);
  const log = join(dir, 'flink.log');
  const opened = ['java.base/java.util=ALL-UNNAMED', 'java.base/java.lang=ALL-UNNAMED'];
  flink = await startJava(
    [
      ...['-Xmx1g', ...opened.map((name) => `--add-opens=${name}`)],
      ...['-cp', join(await mavenJars('flink', FLINK), '*')],
      ...[join(FLINK, 'RunSql.java'), join(dir, 'flink.sql')],
    ],
    log,
    async () => rows(log).length > 0,
  );
  const complete = async () => {
    const expected = [...expectedShares(frames)].sort();
    expect(expected.length).toBeGreaterThan(20);
    await expect.poll(() => rows(log).length, { timeout: 120_000 }).toBeGreaterThanOrEqual(expected.length);
    const actual = rows(log).sort();
    expect(actual.map(([key]) => key)).toEqual(expected.map(([key]) => key));
    for (const [index, [key, share]] of expected.entries())
      expect(actual[index]![1], key).toBeCloseTo(share, 12);
  };
  await complete();
  // Live: the job goes on.
  await publish(2000, 2500);
  await complete();
  await publisher.close();
}, 400_000);
