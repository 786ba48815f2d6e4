import { expect, test } from 'vitest';
import { RunStatistics } from '../../../src/app/summary.ts';
import { cameraOptions } from '../../../src/camera/options.ts';
import type { CameraStatus } from '../../../src/domain/camera-status.ts';
import type { FrameFaces } from '../../../src/domain/face.ts';
import { CameraObserver } from '../../../src/ingest/host/observer.ts';
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

test('what an epoch has lost stays lost, also while new processes of the camera fail to begin another', () => {
  const counter = new RunStatistics();
  const told: CameraStatus[] = [];
  const observer = new CameraObserver(
    cameraOptions.parse({ id: 'hall', url: 'rtsp://192.0.2.1/' }),
    ingestOptions.parse({}),
    (status) => void told.push(counter.status(status)),
  );
  observer.enter('CONNECTING', 'started', '');
  observer.epoch(epoch(100));
  observer.report(report({ analysis_slow: 50 }));
  observer.gone();
  observer.failed('CAMERA_STALLED', 'no frames');
  for (const cause of ['CAMERA_UNREACHABLE', 'CAMERA_NOT_FOUND']) {
    observer.report(report({}));
    observer.gone();
    observer.failed(cause, 'no answer');
  }
  observer.epoch(epoch(200));
  observer.report(report({ analysis_slow: 2 }));
  observer.enter('STOPPED', 'stopped', '');
  expect(counter.summary().dropped).toBe(52);
  expect(told.map((status) => [status.epoch, status.drops])).toEqual([
    [null, {}],
    [100, {}],
    [100, { analysis_slow: 50 }],
    [100, { analysis_slow: 50 }],
    [100, { analysis_slow: 50 }],
    [200, {}],
    [200, { analysis_slow: 2 }],
  ]);
});

test('what an epoch has lost is told before the next one begins in the same process', () => {
  const counter = new RunStatistics();
  const observer = new CameraObserver(
    cameraOptions.parse({ id: 'hall', url: 'rtsp://192.0.2.1/' }),
    ingestOptions.parse({}),
    (status) => void counter.status(status),
  );
  const tooOld = { receivedAt: 1, interval: 40_000, epoch: 100, captureTime: 1 } as FrameFaces;
  observer.enter('CONNECTING', 'started', '');
  observer.epoch(epoch(100));
  observer.report(report({ analysis_slow: 40 }));
  expect(observer.frame(tooOld)).toBe(false);
  observer.epoch(epoch(200, 'clock_source_changed'));
  observer.report(report({ analysis_slow: 3 }));
  expect(observer.frame({ ...tooOld, epoch: 200 })).toBe(false);
  observer.gone();
  observer.failed('CAMERA_STALLED', 'no frames');
  expect(counter.summary().dropped).toBe(40 + 1 + 3 + 1);
});

test('of a slow stream the rate that is told is that to which it can be shed without a hole', () => {
  const rates: (number | null)[] = [];
  const observer = new CameraObserver(
    cameraOptions.parse({ id: 'hall', url: 'rtsp://192.0.2.1/' }),
    ingestOptions.parse({}),
    ({ analysisFps }) => void rates.push(analysisFps),
  );
  observer.enter('CONNECTING', 'started', '');
  observer.epoch(epoch(100));
  // Five frames a second, of which one in four may pass.
  observer.frame({
    receivedAt: Date.now() * 1000,
    interval: 200_000,
    epoch: 100,
    captureTime: 1,
  } as FrameFaces);
  const changed = [1 / 2, 1 / 8, 1 / 8].map((share) => observer.pace(share));
  observer.enter('STOPPED', 'stopped', '');
  expect(changed).toEqual([true, true, false]);
  expect(rates).toEqual([null, 30, 2.5, 1.3, null]);
});
