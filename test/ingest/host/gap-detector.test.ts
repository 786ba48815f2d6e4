import { describe, expect, test } from 'vitest';
import type { FrameStamp } from '../../../src/domain/frame.ts';
import { GapDetector } from '../../../src/ingest/host/gap-detector.ts';

describe('gaps', () => {
  const stamp = (
    seconds: number,
    epoch = 1,
    clockSource: FrameStamp['clockSource'] = 'rtcp',
    clockErrorSeconds = 0,
  ): FrameStamp => ({
    cameraId: 'c',
    epoch,
    frame: 0,
    captureTime: (1000 + seconds + clockErrorSeconds) * 1e6,
    clockSource,
    clockErrorMs: null,
    receivedAt: (1000 + seconds) * 1e6 + 50_000,
    interval: 40_000,
  });

  test('within an epoch are measured by capture time, with the number of missing frames', () => {
    const gaps = new GapDetector(1);
    expect(gaps.next(stamp(0))).toBeNull();
    expect(gaps.next(stamp(1))).toBeNull();
    expect(gaps.next(stamp(3))).toEqual({
      from: 1001e6,
      to: 1003e6,
      cause: 'frames_missing',
      framesLost: 49,
    });
  });

  test('between epochs have the cause of the interruption', () => {
    const gaps = new GapDetector(1);
    gaps.next(stamp(0));
    gaps.interrupted('CAMERA_STALLED');
    expect(gaps.next(stamp(5, 2))).toEqual({
      from: 1000e6,
      to: 1005e6,
      cause: 'CAMERA_STALLED',
      framesLost: null,
    });
    gaps.interrupted('CAMERA_PROCESS_DIED');
    expect(gaps.next(stamp(5.5, 3))).toBeNull();
    expect(gaps.next(stamp(9, 3))!.cause).toBe('frames_missing');
  });

  test('of a stream at 1 fps exceed its frame interval, whatever its jitter', () => {
    const gaps = new GapDetector(1);
    const slow = (seconds: number, epoch = 1) => ({ ...stamp(seconds, epoch), interval: 1_000_000 });
    for (const [second, jitter] of [0, 0.004, -0.01, 0.02, 1, 0.3].entries())
      expect(gaps.next(slow(second + jitter))).toBeNull();
    expect(gaps.next(slow(7.5, 2))).toBeNull();
    expect(gaps.next(slow(11, 2))).toMatchObject({ cause: 'frames_missing', framesLost: 3 });
  });

  test('across a change of the clock source are reported in host time', () => {
    const gaps = new GapDetector(1);
    gaps.next(stamp(0, 1, 'rtcp', 3600));
    expect(gaps.next(stamp(4, 2, 'arrival'))).toMatchObject({ from: 1000.05e6, to: 1004.05e6 });
    expect(gaps.next(stamp(4.1, 3, 'rtcp', 3600))).toBeNull();
  });
});
