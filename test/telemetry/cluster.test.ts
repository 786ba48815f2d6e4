import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineCamera } from '../../src/cluster/ingest/camera-definition.ts';
import { writeCameras } from '../../src/cluster/ingest/camera-topic.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { Austream, DEMO_CLIP, Scratch } from '../e2e/austream.ts';
import { documentedMetrics } from './documented.ts';
import { METRIC, panelQueries, RULE_FILES, ruleQueries } from './queries.ts';
import { OtlpReceiver } from './receiver.ts';

let broker: KafkaBroker;
let receiver: OtlpReceiver;
let cameras: Simulator;
let scratch: Scratch;
/** One ingest and one infer worker. */
let workers: Readonly<Record<'ingest' | 'infer', Austream>>;

beforeAll(async () => {
  scratch = new Scratch();
  [broker, receiver, cameras] = await Promise.all([
    KafkaBroker.start(),
    OtlpReceiver.start(),
    Simulator.start({ sources: [DEMO_CLIP] }),
  ]);
  const kafka = { brokers: [broker.address], topics: { partitions: 1 } };
  const config = scratch.file('worker.yaml', {
    kafka,
    cluster: { cameras: 'topic', sources: { networks: ['127.0.0.0/8'] } },
    http: { port: 0 },
    infer: { threads: 1 },
    // Never trust the camera's clock: this test uses arrival times only.
    ingest: { maxClockErrorSeconds: 0 },
  });
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_TRACES_SAMPLER: 'always_on',
    OTEL_BSP_SCHEDULE_DELAY: '500',
  };
  const start = (kind: string) => new Austream([kind, '-c', config], env);
  workers = { infer: start('infer'), ingest: start('ingest') };
  await Promise.all(Object.values(workers).map((worker) => worker.untilLogged('"msg":"running"')));
  const producer = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic: 'au.crops', messages: [{ key: 'lobby/1', value: 'not a crop record' }] });
  await producer.disconnect();
  const camera = defineCamera({ id: 'lobby', url: cameras.urls[0]!, analysisFps: 10 });
  await writeCameras(kafkaOptions.parse(kafka), new Map([[camera.id, camera]]));
}, 240_000);
afterAll(async () => {
  await Promise.all(Object.values(workers).map((worker) => worker[Symbol.asyncDispose]()));
  await Promise.all([broker.stop(), receiver.stop(), cameras.stop()]);
  scratch[Symbol.dispose]();
});

/** The samples on a worker's `/metrics`: value by name and labels. */
async function scrape(kind: keyof typeof workers): Promise<ReadonlyMap<string, number>> {
  const [, port] = /"http":(\d+)/.exec(workers[kind].stderr)!;
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

/** Metrics that have a sample only after a special event, with certificates, or only on some hosts. */
const CONDITIONAL =
  /^(austream_(camera_contested|dropped_total|infer_passed_over_total|publish_held|certificate_expiry_.*)|hw_gpu_.*|target_info)$/;
const unconditional = (names: Iterable<string>) =>
  [...names].filter((name) => !CONDITIONAL.test(name)).sort();

describe.each(['ingest', 'infer'] as const)('an %s worker', (kind) => {
  test('exports the metrics that docs/metrics.md lists, with samples', async () => {
    const seen = new Set<string>();
    const exported = async () => {
      for (const sample of (await scrape(kind)).keys())
        seen.add(sample.replace(/\{.*/, '').replace(/_(bucket|sum|count)$/, ''));
      return unconditional(seen);
    };
    const expected = unconditional(documentedMetrics(kind));
    expect(expected.length).toBeGreaterThan(8);
    await expect.poll(exported, { timeout: 60_000 }).toEqual(expected);
  }, 90_000);

  test('reports whether it is connected to Kafka', async () => {
    expect((await scrape(kind)).get('austream_publish_connected')).toBe(1);
  });
});

test.each(RULE_FILES)('the alerts of %s query only metrics that a worker exports', (file) => {
  const exported = new Set([...documentedMetrics('ingest'), ...documentedMetrics('infer')]);
  const queried = ruleQueries(file).flatMap((query) => query.match(METRIC) ?? []);
  for (const name of queried) expect(exported, name).toContain(name.replace(/_(bucket|sum|count)$/, ''));
});

test('the panels query only metrics that a worker exports', () => {
  const exported = new Set([...documentedMetrics('ingest'), ...documentedMetrics('infer')]);
  const queried = panelQueries().flatMap((query) => query.match(METRIC) ?? []);
  expect(queried.length).toBeGreaterThan(10);
  for (const name of queried) expect(exported, name).toContain(name.replace(/_(bucket|sum|count)$/, ''));
});

test('committed events count as acknowledged, with their latency; undecodable crops count as dropped', async () => {
  const value = async (name: string) => (await scrape('infer')).get(name) ?? 0;
  await expect
    .poll(() => value('austream_events_acknowledged_total{camera="lobby"}'), { timeout: 60_000 })
    .toBeGreaterThan(30);
  const after = await scrape('infer');
  const acknowledged = after.get('austream_events_acknowledged_total{camera="lobby"}')!;
  expect(after.get('austream_latency_count{camera="lobby",clock="arrival"}')).toBe(acknowledged);
  expect(after.get('austream_latency_sum{camera="lobby",clock="arrival"}')).toBeGreaterThan(0);
  expect(after.get('austream_events_produced_total{camera="lobby"}')).toBeGreaterThanOrEqual(acknowledged);
  expect(after.get('austream_dropped_total{camera="unknown",cause="crop_undecodable"}')).toBe(1);
}, 90_000);

test('a frame that one worker ingests and another scores has one trace', async () => {
  const complete = () =>
    [...Map.groupBy(receiver.spans, ({ traceId }) => traceId).values()].filter(
      (spans) => spans.some(({ name }) => name === 'frame') && spans.some(({ name }) => name === 'publish'),
    );
  await expect.poll(() => complete().length, { timeout: 60_000 }).toBeGreaterThan(10);
  const [trace] = complete();
  const root = trace!.find(({ name }) => name === 'frame')!;
  const children = trace!.filter((span) => span !== root);
  expect(root.parent).toBe('');
  expect(new Set(children.map(({ parent }) => parent))).toEqual(new Set([root.spanId]));
  expect(children.map(({ name }) => name).sort()).toEqual(
    ['capture', 'crops', 'detect', 'infer.encode', 'infer.hop', 'infer.score', 'publish', 'transfer'].sort(),
  );
}, 90_000);

test('both report when the brokers go away and when they are back', async () => {
  const connected = async () =>
    Promise.all(
      (['ingest', 'infer'] as const).map(async (kind) =>
        (await scrape(kind)).get('austream_publish_connected'),
      ),
    );
  await broker.kill9();
  await expect.poll(connected, { timeout: 60_000 }).toEqual([0, 0]);
  await broker.restart();
  await expect.poll(connected, { timeout: 60_000 }).toEqual([1, 1]);
}, 150_000);
