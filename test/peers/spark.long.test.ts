import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { RecordEncoder } from '../../src/records/avro.ts';
import { mavenJars } from '../broker/jars.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { readTopic } from '../broker/read-topic.ts';
import { TestRegistry } from '../broker/test-registry.ts';
import { expectedShares, framesOfAllFaces, parsedRows } from './shares.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SPARK = fileURLToPath(new URL('spark/', import.meta.url));
const EXAMPLE = readFileSync(join(ROOT, 'examples/sql/spark.sql'), 'utf8');
/** What Spark opens in Java 17 (its class JavaModuleOptions). */
const OPENED = [
  ...['lang', 'lang.invoke', 'lang.reflect', 'io', 'net', 'nio', 'util', 'util.concurrent'].map(
    (name) => `java.${name}`,
  ),
  ...['java.util.concurrent.atomic', 'jdk.internal.ref', 'sun.nio.ch', 'sun.nio.cs'],
  ...['sun.security.action', 'sun.util.calendar'],
];
const FRAMES = Array.from({ length: 2000 }, (_, number) => framesOfAllFaces(number)).flat();
const TIMEOUT_MS = 400_000;

let broker: KafkaBroker;
let dir: string;
let jars: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'austream-spark-'));
  broker = await KafkaBroker.start();
  jars = await mavenJars('spark', SPARK);
}, 900_000);
afterAll(async () => {
  await broker?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Publishes all frames, every seventh twice. */
async function publish(topicPrefix: string, rest: object = {}): Promise<void> {
  const publisher = await openPublisher(
    kafkaOptions.parse({ brokers: [broker.address], topicPrefix, ...rest }),
    { acknowledged: () => {}, dropped: () => expect.unreachable('nothing may be lost') },
  );
  for (const [index, frame] of FRAMES.entries()) publisher.frames(index % 7 === 0 ? [frame, frame] : [frame]);
  await publisher.flush(60_000);
  await publisher.close();
}

/** The output of the example with other places in it. */
async function runExample(...places: readonly (readonly [from: string, to: string])[]): Promise<string> {
  let sql = EXAMPLE;
  for (const [from, to] of [["'localhost:9092'", `'${broker.address}'`] as const, ...places]) {
    expect(sql).toContain(from);
    sql = sql.replace(from, to);
  }
  const file = join(dir, 'spark.sql');
  writeFileSync(file, sql);
  const { stdout } = await promisify(execFile)(
    'java',
    [
      ...['-Xmx1g', '-XX:+UseSerialGC'],
      ...OPENED.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
      ...['-cp', join(jars, '*'), join(SPARK, 'RunSql.java'), file, join(dir, 'warehouse')],
    ],
    { cwd: ROOT, maxBuffer: 1 << 28 },
  );
  return stdout;
}

function expectAllShares(output: string): void {
  const expected = [...expectedShares(FRAMES)].sort();
  expect(expected.length).toBeGreaterThan(20);
  const actual = parsedRows(output).sort();
  expect(actual.map(([key]) => key)).toEqual(expected.map(([key]) => key));
  for (const [index, [key, share]] of expected.entries())
    expect(actual[index]![1], key).toBeCloseTo(share, 12);
}

const HEADER = `X'${new RecordEncoder('AuFrame').header.toString('hex').toUpperCase()}'`;

test(
  'Spark runs examples/sql/spark.sql, and its shares are right',
  async () => {
    await publish('au.');
    expectAllShares(await runExample());
  },
  TIMEOUT_MS,
);

test(
  "… as its comment says for Confluent's wire format",
  async () => {
    const registry = await TestRegistry.start();
    await publish('confluent.', { registry: { url: registry.url } });
    await registry.stop();
    const [message] = await readTopic([broker.address], 'confluent.frames');
    const output = await runExample(
      ["'au.frames'", "'confluent.frames'"],
      [
        `substring(value, 1, 10) = ${HEADER}, substring(value, 11)`,
        `substring(value, 1, 5) = X'${message!.value!.toString('hex', 0, 5)}', substring(value, 6)`,
      ],
    );
    expectAllShares(output);
  },
  TIMEOUT_MS,
);

test(
  'a message of another schema fails the query',
  async () => {
    await expect(runExample([HEADER, HEADER.replace('C301', 'C300')])).rejects.toMatchObject({
      stderr: expect.stringContaining('a message of another schema'),
    });
  },
  TIMEOUT_MS,
);
