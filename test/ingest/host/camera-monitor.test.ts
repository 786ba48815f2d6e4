import { expect, test } from 'vitest';
import { RunStatistics } from '../../../src/app/summary.ts';
import { cameraOptions } from '../../../src/camera/options.ts';
import type { CameraStatus } from '../../../src/domain/camera-status.ts';
import type { FrameFaces } from '../../../src/domain/face.ts';
import { CameraMonitor } from '../../../src/ingest/host/camera-monitor.ts';
import { ingestOptions } from '../../../src/ingest/options.ts';
import type { EpochCause } from '../../../src/ingest/protocol/messages.ts';

const report = (drops: Record<string, number>) =>
  ({ type: 'report', rss: 1, decoded: 1, analysed: 1, drops, clockErrorMs: null, driftPpm: null }) as const;
const epoch = (number: number, cause: EpochCause = 'first_frame') =>
  ({
    type: 'epoch',
    epoch: number,
    cause,
    width: 640,
    height: 360,
    codec: 'h264',
    clockSource: 'arrival',
    captureTime: 1,
    receivedAt: 1,
    clockErrorMs: null,
  }) as const;

test('the drops of an epoch stay counted while new child processes fail before their first epoch', () => {
  const counter = new RunStatistics();
  const published: CameraStatus[] = [];
  const monitor = new CameraMonitor(
    cameraOptions.parse({ id: 'hall', url: 'rtsp://192.0.2.1/' }),
    ingestOptions.parse({}),
    (status) => void published.push(counter.status(status)),
  );
  monitor.setState('CONNECTING', 'started', '');
  monitor.recordEpoch(epoch(100));
  monitor.recordReport(report({ analysis_slow: 50 }));
  monitor.childGone();
  monitor.retrying('CAMERA_STALLED', 'no frames');
  for (const cause of ['CAMERA_UNREACHABLE', 'CAMERA_NOT_FOUND']) {
    monitor.recordReport(report({}));
    monitor.childGone();
    monitor.retrying(cause, 'no answer');
  }
  monitor.recordEpoch(epoch(200));
  monitor.recordReport(report({ analysis_slow: 2 }));
  monitor.setState('STOPPED', 'stopped', '');
  expect(counter.summary({ undelivered: [], unreadFiles: [] }).dropped).toBe(52);
  expect(published.map((status) => [status.epoch, status.drops])).toEqual([
    [null, {}],
    [100, {}],
    [100, { analysis_slow: 50 }],
    [100, { analysis_slow: 50 }],
    [100, { analysis_slow: 50 }],
    [200, {}],
    [200, { analysis_slow: 2 }],
  ]);
});

test('the drops of an epoch are published before the next one begins in the same process', () => {
  const counter = new RunStatistics();
  const monitor = new CameraMonitor(
    cameraOptions.parse({ id: 'hall', url: 'rtsp://192.0.2.1/' }),
    ingestOptions.parse({}),
    (status) => void counter.status(status),
  );
  const tooOld = { receivedAt: 1, interval: 40_000, epoch: 100, captureTime: 1 } as FrameFaces;
  monitor.setState('CONNECTING', 'started', '');
  monitor.recordEpoch(epoch(100));
  monitor.recordReport(report({ analysis_slow: 40 }));
  expect(monitor.recordFrame(tooOld)).toBe(false);
  monitor.recordEpoch(epoch(200, 'clock_source_changed'));
  monitor.recordReport(report({ analysis_slow: 3 }));
  expect(monitor.recordFrame({ ...tooOld, epoch: 200 })).toBe(false);
  monitor.childGone();
  monitor.retrying('CAMERA_STALLED', 'no frames');
  expect(counter.summary({ undelivered: [], unreadFiles: [] }).dropped).toBe(40 + 1 + 3 + 1);
});

test('the published rate of a slow stream is never below what tracking needs', () => {
  const rates: (number | null)[] = [];
  const monitor = new CameraMonitor(
    cameraOptions.parse({ id: 'hall', url: 'rtsp://192.0.2.1/' }),
    ingestOptions.parse({}),
    ({ analysisFps }) => void rates.push(analysisFps),
  );
  monitor.setState('CONNECTING', 'started', '');
  monitor.recordEpoch(epoch(100));
  // At five frames a second, at most three of four frames may be shed without a gap.
  monitor.recordFrame({
    receivedAt: Date.now() * 1000,
    interval: 200_000,
    epoch: 100,
    captureTime: 1,
  } as FrameFaces);
  const changed = [1 / 2, 1 / 8, 1 / 8].map((share) => monitor.setShare(share));
  monitor.setState('STOPPED', 'stopped', '');
  expect(changed).toEqual([true, true, false]);
  expect(rates).toEqual([null, 30, 2.5, 1.3, null]);
});
