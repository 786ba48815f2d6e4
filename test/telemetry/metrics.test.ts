import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fastify } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diagnostics } from '../../src/diagnostics.ts';
import { parseGpus } from '../../src/telemetry/gpu.ts';
import { openTelemetry, type Telemetry } from '../../src/telemetry/index.ts';
import { generatedFrame, generatedStatus } from '../dashboard/generated.ts';
import { faceCrop, frameOf } from '../infer/faces.ts';
import { delivery, HOLD } from '../publish/deliveries.ts';
import { METRIC, RULE_FILES } from './queries.ts';

let holds = true;
let telemetry: Telemetry;
let scrape: () => Promise<string>;
const folder = mkdtempSync(join(tmpdir(), 'austream-metrics-'));

beforeAll(async () => {
  // A fake nvidia-smi: this machine may have no GPU.
  const smi = join(folder, 'nvidia-smi');
  writeFileSync(smi, '#!/bin/sh\necho "0, 37, 1024, 81559"\n');
  chmodSync(smi, 0o755);
  process.env.PATH = `${folder}:${process.env.PATH}`;
  telemetry = (await openTelemetry({ host: '127.0.0.1', port: 0 }))!;
  telemetry.watch(() => ({
    queuedCrops: 7,
    publisher: {
      connected: true,
      pending: 11,
      waiting: 0,
      spooling: false,
      spoolBytes: 4096,
      acknowledged: 0,
      dropped: 0,
      topics: [
        delivery({ pending: 4, oldestSeconds: 12.5, held: holds ? HOLD : null }),
        delivery({ topic: 'au.cameras' }),
      ],
    },
  }));
  const server = fastify();
  await telemetry.routes(server);
  scrape = async () => (await server.inject('/metrics')).body;
  publishAllDiagnostics();
});
afterAll(async () => {
  await telemetry.close();
  rmSync(folder, { recursive: true });
});

/** One message on each channel, so that each instrument has a value. */
function publishAllDiagnostics(): void {
  const at = Date.now() * 1_000;
  const frame = generatedFrame({ cameraId: 'cam', trackId: 1, frame: 1, receivedAt: at - 300_000 });
  const faces = { ...frameOf([faceCrop({ frame: 1 })]), analysed: { from: at - 30_000, to: at - 10_000 } };
  diagnostics.frame.publish({ faces, at });
  diagnostics.status.publish(generatedStatus('cam', 'LIVE', { drops: { analysis_slow: 3 }, restarts: 2 }));
  diagnostics.encoded.publish({ from: at, to: at + 20_000, faces: [frame], longestWaitMs: 40 });
  diagnostics.scored.publish({ from: at, to: at + 20_000, faces: [frame], windows: 1 });
  diagnostics.published.publish({ frames: [frame, frame], at });
  diagnostics.acknowledged.publish({ frame, at });
  diagnostics.clockStepped.publish({ stepMs: -3_600_000 });
  diagnostics.ownership.publish({ cameraId: 'cam', role: 'owner' });
  diagnostics.skipped.publish({ cameraId: 'cam', count: 16, cause: 'late' });
  diagnostics.certificates.publish({
    certificates: [{ setting: 'kafka.tls.cert', file: 'client.pem', expiresAt: 1 }],
  });
  diagnostics.lost.publish({ cameraId: 'cam', count: 5, cause: 'spool_full' });
}

test('metrics count what the stages publish', async () => {
  const lines = (await scrape()).split('\n');
  for (const line of [
    'austream_camera_frames_total{camera="cam"} 1',
    'austream_camera_state{camera="cam",state="LIVE"} 1',
    'austream_camera_state{camera="cam",state="STALLED"} 0',
    'austream_camera_restarts{camera="cam"} 2',
    'austream_camera_faces{camera="cam"} 1',
    'austream_dropped_total{camera="cam",cause="analysis_slow"} 3',
    'austream_dropped_total{camera="cam",cause="spool_full"} 5',
    'austream_detect_duration_sum{camera="cam"} 0.02',
    'austream_infer_batch_size_sum 1',
    'austream_infer_queue_length 7',
    'austream_infer_passed_over_total{camera="cam",cause="late"} 16',
    'austream_events_produced_total{camera="cam"} 2',
    'austream_events_acknowledged_total{camera="cam"} 1',
    'austream_clock_steps_total 1',
    'austream_publish_pending 11',
    'austream_publish_spool_size 4096',
    'austream_publish_connected 1',
    'hw_gpu_utilization{hw_id="0"} 0.37',
    'hw_gpu_memory_usage{hw_id="0"} 1073741824',
  ])
    expect(lines).toContain(line);
  const latency = /^austream_latency_sum\{camera="cam",clock="arrival"\} (\S+)$/m.exec(lines.join('\n'));
  expect(Number(latency![1])).toBeGreaterThanOrEqual(0.3);
});

test('delivery is told per topic; a hold that has ended is 0, not its last value', async () => {
  const held = 'austream_publish_held{topic="au.frames",cause="kafka_topic_authorization_failed"}';
  const lines = (await scrape()).split('\n');
  expect(lines).toContain(`${held} 1`);
  expect(lines).toContain('austream_publish_oldest_age{topic="au.frames"} 12.5');
  expect(lines).toContain('austream_publish_oldest_age{topic="au.cameras"} 0');
  expect(lines).toContain('austream_publish_topic_pending{topic="au.frames"} 4');
  holds = false;
  expect((await scrape()).split('\n')).toContain(`${held} 0`);
  holds = true;
});

test('a camera’s drops are counted once, across repeated statuses and new epochs', async () => {
  const drops = (epoch: number, count: number) =>
    diagnostics.status.publish(generatedStatus('door', 'LIVE', { epoch, drops: { decode: count } }));
  for (const [epoch, count] of [
    [1, 4],
    [1, 4],
    [1, 6],
    [2, 1],
  ] as const)
    drops(epoch, count);
  expect(await scrape()).toContain('austream_dropped_total{camera="door",cause="decode"} 7');
});

test('frames skipped by analysisFps are no drops', async () => {
  diagnostics.status.publish(generatedStatus('hall', 'LIVE', { drops: { analysis_fps: 900, decode: 1 } }));
  const exposed = await scrape();
  expect(exposed).toContain('austream_dropped_total{camera="hall",cause="decode"} 1');
  expect(exposed).not.toContain('cause="analysis_fps"');
});

describe('every metric name in use exists', () => {
  test.each(['deploy/grafana/austream.json', ...RULE_FILES, 'docs/metrics.md'])('%s', async (file) => {
    const exposed = await scrape();
    const names = new Set(readFileSync(file, 'utf8').match(METRIC));
    for (const name of names) expect(exposed, name).toMatch(new RegExp(`^${name}(_total|_bucket)?[ {]`, 'm'));
  });

  test('every existing metric is in docs/metrics.md', async () => {
    const docs = readFileSync('docs/metrics.md', 'utf8');
    const exposed = (await scrape()).match(/^# TYPE (\S+)/gm)!.map((line) => line.slice('# TYPE '.length));
    for (const name of exposed.filter((name) => name !== 'target_info'))
      expect(docs).toContain(`\`${name}\``);
  });
});

test('a GPU with a missing value is still read', () => {
  expect(parseGpus('0, [N/A], 512, 1024\n1, 100, 0, 1024\n')).toEqual([
    { index: '0', utilization: 0, usedBytes: 512 * 2 ** 20, totalBytes: 2 ** 30 },
    { index: '1', utilization: 1, usedBytes: 0, totalBytes: 2 ** 30 },
  ]);
});

test('without HTTP and without an exporter there is no telemetry', async () => {
  expect(await openTelemetry({ host: '127.0.0.1', port: null })).toBeNull();
  process.env.OTEL_TRACES_EXPORTER = 'none';
  expect(await openTelemetry({ host: '127.0.0.1', port: null })).toBeNull();
  delete process.env.OTEL_TRACES_EXPORTER;
});
