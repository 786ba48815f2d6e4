import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuFrame } from '../../src/domain/event.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { mavenJars } from '../broker/jars.ts';
import { kill9, startJava } from '../broker/java.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { TestRegistry } from '../broker/test-registry.ts';
import { expectedShares, framesOfAllFaces, parsedRows } from './shares.ts';

const FLINK = fileURLToPath(new URL('flink/', import.meta.url));
const EXAMPLE = fileURLToPath(new URL('../../examples/sql/flink.sql', import.meta.url));
/** Of the query's watermark, in microseconds. */
const LATENESS = 5_000_000;

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

test('Flink runs examples/sql/flink.sql, and its shares are right', async () => {
  const publisher = await openPublisher(
    kafkaOptions.parse({ brokers: [broker.address], registry: { url: registry.url } }),
    { acknowledged: () => {}, dropped: () => expect.unreachable('nothing may be lost') },
  );
  const frames: AuFrame[] = [];
  const publish = async (from: number, to: number) => {
    for (let number = from; number < to; number += 1) {
      const faces = framesOfAllFaces(number);
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
    async () => parsedRows(readFileSync(log, 'utf8')).length > 0,
  );
  const complete = async () => {
    const expected = [...expectedShares(frames, LATENESS)].sort();
    expect(expected.length).toBeGreaterThan(20);
    await expect
      .poll(() => parsedRows(readFileSync(log, 'utf8')).length, { timeout: 120_000 })
      .toBeGreaterThanOrEqual(expected.length);
    const actual = parsedRows(readFileSync(log, 'utf8')).sort();
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
