/**
 * The cost of telemetry: CPU time per analysed frame of the subscribers (metrics and traces with default sampling, without
 * a receiver), compared with the CPU time per frame of a whole run of the demo clip, including the camera process.
 * Usage: node bench/telemetry.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { diagnostics } from '../src/diagnostics.ts';
import { openTelemetry } from '../src/telemetry/index.ts';
import { generatedFrame } from '../test/dashboard/generated.ts';
import { faceCrop, frameOf } from '../test/infer/faces.ts';

const FRAMES = 100_000;
const BATCH = 8;

/** Publishes the stages' diagnostics for `FRAMES` frames with one face each, in batches of `BATCH`. */
function publishDiagnostics(from: number): void {
  for (let frame = from; frame < from + FRAMES; frame += BATCH) {
    const at = Date.now() * 1_000;
    const crops = Array.from({ length: BATCH }, (_, n) => ({ ...CROP, frame: frame + n, captureTime: at }));
    for (const crop of crops) {
      const faces = { ...FACES, frame: crop.frame, crops: [crop], analysed: { from: at, to: at } };
      if (diagnostics.frame.hasSubscribers) diagnostics.frame.publish({ faces, at });
    }
    if (!diagnostics.encoded.hasSubscribers) continue;
    diagnostics.encoded.publish({ from: at, to: at, faces: crops, longestWaitMs: 1 });
    diagnostics.scored.publish({ from: at, to: at, faces: crops, windows: 1 });
    const frames = crops.map((crop) => ({ ...SCORED, frame: crop.frame }));
    diagnostics.published.publish({ frames, at });
    for (const scored of frames) diagnostics.acknowledged.publish({ frame: scored, at });
  }
}

const CROP = faceCrop({ frame: 0 });
const FACES = frameOf([CROP]);
const SCORED = generatedFrame({ cameraId: 'cam', trackId: 1, frame: 0, receivedAt: 0, epoch: 0 });

function cpuMicros(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / FRAMES;
}

publishDiagnostics(0);
const unsubscribed = cpuMicros(() => publishDiagnostics(FRAMES));
process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:9';
const telemetry = (await openTelemetry({ host: '127.0.0.1', port: 0 }))!;
publishDiagnostics(2 * FRAMES);
const subscribed = cpuMicros(() => publishDiagnostics(3 * FRAMES));
await telemetry.close();

const folder = mkdtempSync(join(tmpdir(), 'austream-bench-'));
const config = join(folder, 'config.yaml');
const url = pathToFileURL(resolve('models/demo/clip.mp4')).href;
writeFileSync(config, JSON.stringify({ cameras: [{ id: 'clip', url }], kafka: { embedded: true } }));
const output = execFileSync('bash', ['-c', `bin/austream run -c ${config} --json | tail -n 1; times`], {
  encoding: 'utf8',
  env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: '' },
});
rmSync(folder, { recursive: true });
const [summary = '', , children = ''] = output.trim().split('\n');
const { framesIn } = JSON.parse(summary) as { framesIn: number };
const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
  (sum, [, m, s]) => sum + 60 * Number(m) + Number(s),
  0,
);
const run = (seconds * 1e6) / framesIn;

console.table({
  'no subscribers': {
    'CPU µs per frame': unsubscribed.toFixed(1),
    'share of a run': `${((100 * unsubscribed) / run).toFixed(2)} %`,
  },
  telemetry: {
    'CPU µs per frame': subscribed.toFixed(1),
    'share of a run': `${((100 * subscribed) / run).toFixed(2)} %`,
  },
  'run, 1 face': { 'CPU µs per frame': run.toFixed(0), 'share of a run': '100 %' },
});
