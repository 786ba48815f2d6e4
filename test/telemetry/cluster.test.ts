import { afterAll, beforeAll, expect, test } from 'vitest';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { Austream, DEMO_CLIP, Scratch } from '../e2e/austream.ts';
import { OtlpReceiver } from './receiver.ts';

let broker: KafkaBroker;
let receiver: OtlpReceiver;
beforeAll(async () => {
  [broker, receiver] = await Promise.all([KafkaBroker.start(), OtlpReceiver.start()]);
}, 120_000);
afterAll(async () => {
  await broker.stop();
  await receiver.stop();
});

test('a frame that one worker ingests and another scores is one trace', async () => {
  using scratch = new Scratch();
  const kafka = { brokers: [broker.address], topics: { partitions: 1 } };
  const cameras = [{ id: 'clip', url: `file://${DEMO_CLIP}`, analysisFps: 10 }];
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_TRACES_SAMPLER: 'always_on',
    OTEL_BSP_SCHEDULE_DELAY: '500',
  };
  await using infer = new Austream(['infer', '-c', scratch.file('infer.yaml', { kafka })], env);
  await infer.said('"msg":"running"');
  await using _ingest = new Austream(['ingest', '-c', scratch.file('ingest.yaml', { kafka, cameras })], env);
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
}, 120_000);
