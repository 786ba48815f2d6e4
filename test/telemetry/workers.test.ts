import { afterAll, beforeAll, expect, test } from 'vitest';
import { diagnostics } from '../../src/diagnostics.ts';
import { openTelemetry } from '../../src/telemetry/index.ts';
import { generatedFrame } from '../dashboard/generated.ts';
import { faceCrop, frameOf } from '../infer/faces.ts';
import { OtlpReceiver } from './receiver.ts';

const FRAMES = 200;
const NOW = 1_790_000_000_000_000;

let receiver: OtlpReceiver;
beforeAll(async () => {
  receiver = await OtlpReceiver.start();
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
  process.env.OTEL_TRACES_SAMPLER = 'parentbased_traceidratio';
  process.env.OTEL_TRACES_SAMPLER_ARG = '0.5';
});
afterAll(() => receiver.stop());

/** Runs `work` with its own telemetry, as if in a process of its own. */
async function worker(work: () => void): Promise<void> {
  const telemetry = (await openTelemetry({ host: '127.0.0.1', port: null }))!;
  work();
  await telemetry.close();
}

const crop = (frame: number) => {
  const at = NOW + frame * 40_000;
  return { ...faceCrop({ frame, live: true, at }), receivedAt: at + 5_000 };
};

test('an infer worker adds its spans to the traces that an ingest worker began', async () => {
  await worker(() => {
    for (let frame = 0; frame < FRAMES; frame++) {
      const analysed = { from: NOW + frame * 40_000 + 6_000, to: NOW + frame * 40_000 + 20_000 };
      const faces = { ...frameOf([crop(frame)]), analysed };
      diagnostics.frame.publish({ faces, at: analysed.to + 1_000, scoredElsewhere: true });
    }
  });
  const ingestSpans = receiver.spans.splice(0);
  await worker(() => {
    for (let frame = 0; frame < FRAMES; frame++) {
      const from = NOW + frame * 40_000 + 100_000;
      const faces = [crop(frame)];
      diagnostics.encoded.publish({ from, to: from + 10_000, faces, longestWaitMs: 5 });
      diagnostics.scored.publish({ from: from + 20_000, to: from + 30_000, faces, windows: 1 });
      const scored = generatedFrame({ cameraId: 'cam', trackId: 1, frame, receivedAt: NOW, epoch: 0 });
      diagnostics.published.publish({ frames: [scored], at: from + 31_000 });
      diagnostics.acknowledged.publish({ frame: scored, at: from + 50_000 });
    }
  });
  const inferTraces = Map.groupBy(receiver.spans.splice(0), ({ traceId }) => traceId);

  const roots = ingestSpans.filter(({ name }) => name === 'frame');
  // The sampler keeps half of the traces, the same half in both workers.
  expect(roots.length).toBeGreaterThan(FRAMES / 4);
  expect(roots.length).toBeLessThan((FRAMES * 3) / 4);
  expect(new Set(inferTraces.keys())).toEqual(new Set(roots.map(({ traceId }) => traceId)));
  for (const root of roots) {
    const spans = inferTraces.get(root.traceId)!;
    expect(spans.map(({ name }) => name)).toEqual([
      'crops',
      'infer.encode',
      'infer.hop',
      'infer.score',
      'publish',
    ]);
    expect(new Set(spans.map(({ parent }) => parent))).toEqual(new Set([root.spanId]));
    // From `published` to `acknowledged`.
    expect(spans.at(-1)!.end - spans.at(-1)!.start).toBe(19_000_000n);
    expect(spans.at(-1)!.attributes['austream.event.id']).toBe(
      `cam/0/1/${root.attributes['austream.frame']}`,
    );
  }
  expect(ingestSpans.filter(({ name }) => name === 'detect')).toHaveLength(roots.length);
});

test('each face of a frame has one publish span, even if it is acknowledged twice', async () => {
  await worker(() => {
    // The sampler keeps about half of these frames.
    for (let frame = 1_000; frame < 1_000 + FRAMES; frame++) {
      const from = NOW + frame * 40_000 + 100_000;
      const faces = [1, 2].map((trackId) => ({ ...crop(frame), trackId }));
      diagnostics.encoded.publish({ from, to: from + 10_000, faces, longestWaitMs: 5 });
      for (const trackId of [1, 1, 3, 2, 2]) {
        const scored = generatedFrame({ cameraId: 'cam', trackId, frame, receivedAt: NOW, epoch: 0 });
        diagnostics.acknowledged.publish({ frame: scored, at: from + 20_000 });
      }
    }
  });
  const traces = Map.groupBy(receiver.spans.splice(0), ({ traceId }) => traceId);
  expect(traces.size).toBeGreaterThan(FRAMES / 4);
  for (const spans of traces.values()) {
    const published = spans.filter(({ name }) => name === 'publish');
    const ids = published.map(({ attributes }) => String(attributes['austream.event.id']));
    expect(ids.map((id) => id.split('/')[2])).toEqual(['1', '2']);
  }
});
