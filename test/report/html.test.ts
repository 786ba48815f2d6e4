import { describe, expect, test } from 'vitest';
import type { AuFrame } from '../../src/domain/event.ts';
import { reportHtml } from '../../src/report/html.ts';
import { plotSvg } from '../../src/report/plot.ts';
import { firstTrack, frames, recordingOf } from './recorded.ts';

describe('the report', () => {
  const html = () =>
    reportHtml(recordingOf(frames(20), frames(20, { trackId: 2, skip: (n) => n > 100 && n < 160 })), {
      source: '<script>alert(1)</script>.ndjson',
      made: new Date(0),
    });

  test('is self-contained: no scripts, no external resources', () => {
    expect(html()).not.toMatch(/<script|<link|<img|https?:|@import|url\(/);
  });

  test('shows every face, every AU and the gaps', () => {
    expect(html().match(/<h2>cam, face \d<\/h2>/g)).toHaveLength(2);
    expect(html().match(/<path class="smoothed"/g)).toHaveLength(24);
    expect(html()).toContain('1: 2.4 s in all');
  });

  test('a long recording keeps its peaks and stays small', () => {
    const long = frames(3_000);
    const peak = { raw: 1, p: 1, active: true, reliability: null };
    long[40_000] = { ...long[40_000]!, aus: { ...long[40_000]!.aus, au01: peak } };
    const page = reportHtml(recordingOf(long), { source: 'x', made: new Date(0) });
    expect(page.length).toBeLessThan(1_500_000);
    const au01 = /<path class="smoothed" d="([^"]+)"/.exec(page)![1]!;
    // A lane is 34 high with margins of 2: a score of 1 is at y = 2.
    expect(au01).toMatch(/[V ]2\.0/);
  });
});

test('markup in events is escaped', () => {
  const [frame] = frames(1);
  const evil = '<img src=x onerror=alert(1)>';
  const injected = { ...frame!, cameraId: evil, clockSource: evil, model: { ...frame!.model, name: evil } };
  const track = { ...injected, trackId: evil, epoch: evil } as unknown as AuFrame;
  const recording = recordingOf([track]);
  recording.addStatus({ cameraId: evil, at: 1, gap: { from: 1, to: 2, cause: evil, framesLost: null } });
  expect(reportHtml(recording, { source: evil, made: new Date(0) })).not.toContain('<img');
  expect(plotSvg(firstTrack(recording))).not.toContain('<img');
});
