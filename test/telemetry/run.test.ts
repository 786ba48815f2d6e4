import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OtlpReceiver, type ReceivedSpan } from './receiver.ts';

/** The stages of a frame with one face, in the order of their start. */
const STAGES = [
  'capture',
  'detect',
  'transfer',
  'infer.wait',
  'infer.encode',
  'infer.hop',
  'infer.score',
  'publish',
];

let receiver: OtlpReceiver;
let summary: { events: number };
let lines: Record<string, unknown>[];
const folder = mkdtempSync(join(tmpdir(), 'austream-otlp-'));
const config = join(folder, 'config.yaml');

beforeAll(async () => {
  receiver = await OtlpReceiver.start();
  const clip = pathToFileURL(resolve('models/demo/clip.mp4')).href;
  writeFileSync(
    config,
    JSON.stringify({ cameras: [{ id: 'clip', url: clip, analysisFps: 5 }], kafka: { embedded: true } }),
  );
  const { stdout, stderr } = await promisify(execFile)(
    'bin/austream',
    // Runs until the clip ends.
    ['run', '-c', config, '--json'],
    {
      env: {
        ...process.env,
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_TRACES_SAMPLER: 'always_on',
        OTEL_BSP_MAX_QUEUE_SIZE: '100000',
      },
      maxBuffer: 1 << 28,
    },
  );
  summary = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
  lines = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}, 300_000);

afterAll(async () => {
  await receiver.stop();
  rmSync(folder, { recursive: true });
});

test('a frame has one trace, from capture to the broker’s acknowledgement', () => {
  expect([...receiver.services]).toEqual(['austream']);
  // Nothing that identifies the machine for good, such as /etc/machine-id, and no command line.
  expect(
    Object.keys(receiver.resource)
      .filter((name) => !name.startsWith('telemetry.sdk.'))
      .sort(),
  ).toEqual([...['host.name', 'service.instance.id', 'service.name']]);
  expect(summary.events).toBeGreaterThan(20);
  const traces = Map.groupBy(receiver.spans, ({ traceId }) => traceId);
  const complete = [...traces.values()].filter((spans) => spans.some(({ name }) => name === 'publish'));
  expect(complete.length).toBeGreaterThan(20);
  for (const spans of complete) {
    const root = spans.find(({ parent }) => parent === '')!;
    const children = spans.filter((span) => span !== root).sort(byStart);
    expect(root.name).toBe('frame');
    expect(root.attributes).toMatchObject({ 'austream.camera.id': 'clip', 'austream.faces': '1' });
    expect(children.map(({ name }) => name)).toEqual(STAGES);
    for (const child of children) {
      expect(child.parent).toBe(root.spanId);
      expect(child.end >= child.start && child.start >= root.start && child.end <= root.end, child.name).toBe(
        true,
      );
    }
    const published = children.at(-1)!.attributes['austream.event.id'];
    expect(published).toBe(`clip/0/1/${root.attributes['austream.frame']}`);
  }
});

test('log lines about a camera have the trace of one of its frames; other lines, and lines before the first frame, have none', () => {
  const [first, ...later] = lines.filter(({ cameraId }) => cameraId === 'clip');
  expect(first).not.toHaveProperty('trace_id');
  const correlated = later.filter(({ trace_id }) => trace_id);
  expect(correlated.length).toBeGreaterThan(0);
  for (const { trace_id, span_id } of correlated) {
    const span = receiver.spans.find(({ traceId, spanId }) => traceId === trace_id && spanId === span_id)!;
    expect(span).toMatchObject({ name: 'frame', attributes: { 'austream.camera.id': 'clip' } });
  }
  for (const line of lines) if (!line.cameraId) expect(line).not.toHaveProperty('trace_id');
});

test('an unresponsive receiver does not delay the shutdown', async () => {
  const unresponsive = createServer().listen(0, '127.0.0.1');
  try {
    await once(unresponsive, 'listening');
    const { port } = unresponsive.address() as AddressInfo;
    const { stdout } = await promisify(execFile)(
      'bin/austream',
      ['run', '-c', config, '--json', '--duration', '1s'],
      {
        // Far longer than the test's timeout.
        env: {
          ...process.env,
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
          OTEL_EXPORTER_OTLP_TIMEOUT: '600000',
        },
        maxBuffer: 1 << 28,
      },
    );
    expect(stdout.trimEnd().split('\n').at(-1)).toContain('"type":"summary"');
  } finally {
    unresponsive.close();
  }
}, 120_000);

test('metrics are exported over OTLP', () => {
  for (const name of ['austream.camera.frames', 'austream.latency', 'austream.publish.pending'])
    expect(receiver.metrics).toContain(name);
});

function byStart(a: ReceivedSpan, b: ReceivedSpan): number {
  return a.start === b.start ? STAGES.indexOf(a.name) - STAGES.indexOf(b.name) : a.start < b.start ? -1 : 1;
}
