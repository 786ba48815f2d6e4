import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { mavenJars } from '../broker/jars.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { python } from '../broker/python.ts';
import { TestRegistry } from '../broker/test-registry.ts';
import { anyActivation, anyFrame, anyStatus, delivered } from '../records/samples.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const READERS = fileURLToPath(new URL('readers/', import.meta.url));
const run = promisify(execFile);

const frames = fc.sample(anyFrame, 1000);
const activations = fc.sample(anyActivation, 300);
const statuses = fc.sample(anyStatus, 300);
const WRITTEN: readonly [topic: string, record: string, events: readonly object[]][] = [
  ['frames', 'AuFrame', frames.map(delivered)],
  ['activations', 'AuActivation', activations],
  ['cameras', 'CameraStatus', statuses],
];

let broker: KafkaBroker;
let registry: TestRegistry;
let jars: string;
beforeAll(async () => {
  [broker, registry] = await Promise.all([KafkaBroker.start(), TestRegistry.start()]);
  jars = await mavenJars('readers', READERS);
  await publish('single.', {});
  await publish('confluent.', { registry: { url: registry.url } });
}, 600_000);
afterAll(async () => {
  await broker?.stop();
  await registry?.stop();
});

async function publish(topicPrefix: string, rest: object): Promise<void> {
  const publisher = await openPublisher(
    kafkaOptions.parse({ brokers: [broker.address], topicPrefix, topics: { partitions: 3 }, ...rest }),
    { acknowledged: () => {}, dropped: () => expect.unreachable('nothing may be lost') },
  );
  publisher.frames(frames);
  publisher.activations(activations);
  for (const status of statuses) publisher.status(status);
  await publisher.flush(60_000);
  await publisher.close();
}

async function linesOf(command: string, args: readonly string[]): Promise<string[]> {
  const { stdout } = await run(command, args, { maxBuffer: 1 << 28 });
  return stdout.trimEnd().split('\n');
}

function java(topic: string, reader: 'avro' | 'apicurio', source: string): Promise<string[]> {
  const utf8 = ['-Dfile.encoding=UTF-8', '-Dsun.stdout.encoding=UTF-8'];
  const program = [join(READERS, 'ReadEvents.java'), broker.address, topic, reader, source];
  return linesOf('java', [...utf8, '-cp', join(jars, '*'), ...program]);
}

/** Events as sorted JSON. Java prints as few digits as tell a float from its neighbours, so floats are rounded. */
function canonical(lines: readonly string[]): string[] {
  const rounded = (_key: string, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === 'number' && /[.eE]/.test(source!) ? Math.fround(value) : value;
  const parse = JSON.parse as (text: string, reviver: typeof rounded) => unknown;
  return lines.map((line) => JSON.stringify(sorted(parse(line, rounded)))).sort();
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

describe.each(WRITTEN)('%s', (topic, record, events) => {
  const expected = canonical(events.map((event) => JSON.stringify(event)));

  test("Java's BinaryMessageDecoder reads single-object encoding", async () => {
    const lines = await java(`single.${topic}`, 'avro', join(ROOT, `schemas/${record}.avsc`));
    expect(canonical(lines)).toEqual(expected);
  });

  test("Apicurio's AvroKafkaDeserializer reads Confluent's wire format", async () => {
    const url = new URL('/apis/registry/v2', registry.url).href;
    expect(canonical(await java(`confluent.${topic}`, 'apicurio', url))).toEqual(expected);
  });

  test("confluent-kafka's AvroDeserializer reads Confluent's wire format", async () => {
    const program = join(READERS, 'read_confluent.py');
    const lines = await linesOf(await python(join(READERS, 'requirements.txt')), [
      program,
      broker.address,
      `confluent.${topic}`,
      registry.url,
    ]);
    expect(canonical(lines)).toEqual(expected);
  }, 300_000);
});
