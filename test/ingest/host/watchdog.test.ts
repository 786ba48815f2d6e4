import { expect, test } from 'vitest';
import { CHECK_MS, Watchdog, type WatchedPhase } from '../../../src/ingest/host/watchdog.ts';

const options = { connectSeconds: 15, stallSeconds: 5, childMemoryMb: 512 };
const MB = 2 ** 20;

/** One of the checks that run every `CHECK_MS`. */
function checkOnTime(watchdog: Watchdog, now: number, phase: WatchedPhase) {
  watchdog.check(now - CHECK_MS, phase);
  return watchdog.check(now, phase);
}

test('a camera gets time to start, to connect, and between frames', () => {
  const watchdog = new Watchdog(options, true, 0);
  expect(checkOnTime(watchdog, 59_000, 'Starting')).toBeNull();
  watchdog.progress(59_000);
  for (let now = 60_000; now <= 74_000; now += 500) watchdog.report(now, 0, MB);
  expect(checkOnTime(watchdog, 74_000, 'Connecting')).toBeNull();
  watchdog.report(74_100, 0, MB);
  expect(checkOnTime(watchdog, 74_100, 'Connecting')).toMatchObject({ code: 'CAMERA_UNREACHABLE' });
  expect(checkOnTime(watchdog, 74_100, 'Connected')).toMatchObject({ code: 'CAMERA_NO_VIDEO' });
  watchdog.progress(74_100);
  watchdog.report(74_500, 10, MB);
  for (let now = 75_000; now <= 79_000; now += 500) watchdog.report(now, 10, MB);
  expect(checkOnTime(watchdog, 79_400, 'Live')).toBeNull();
  expect(checkOnTime(watchdog, 79_600, 'Live')).toMatchObject({
    code: 'CAMERA_STALLED',
    message: 'no frame for 5 s',
  });
  watchdog.report(79_700, 11, MB);
  expect(checkOnTime(watchdog, 79_800, 'Live')).toBeNull();
});

test('a new epoch counts its decoded frames from zero', () => {
  const watchdog = new Watchdog(options, true, 0);
  watchdog.progress(0);
  watchdog.report(500, 1000, MB);
  watchdog.progress(4_000);
  watchdog.report(4_500, 3, MB);
  expect(checkOnTime(watchdog, 9_400, 'Live')).toBeNull();
  expect(checkOnTime(watchdog, 9_600, 'Live')).toMatchObject({ code: 'CAMERA_STALLED' });
});

test('a child that sends no heartbeat, or does not start, has died', () => {
  const starting = new Watchdog(options, true, 0);
  expect(checkOnTime(starting, 61_000, 'Starting')).toMatchObject({ code: 'CAMERA_PROCESS_DIED' });
  const file = new Watchdog(options, false, 0);
  file.progress(0);
  expect(checkOnTime(file, 9_000, 'Connecting')).toBeNull();
  expect(checkOnTime(file, 11_000, 'Connecting')).toMatchObject({ code: 'CAMERA_PROCESS_DIED' });
});

test('a host that was blocked reads the pending messages before the watchdog judges', () => {
  const [living, stalled] = [new Watchdog(options, true, 0), new Watchdog(options, true, 0)];
  for (const watchdog of [living, stalled]) {
    watchdog.progress(0);
    watchdog.report(500, 12, MB);
    expect(watchdog.check(500, 'Live')).toBeNull();
    // The host was blocked for twelve seconds: their messages are not read yet.
    expect(watchdog.check(12_500, 'Live')).toBeNull();
  }
  living.report(12_501, 300, MB);
  stalled.report(12_501, 12, MB);
  expect(living.check(12_750, 'Live')).toBeNull();
  expect(stalled.check(12_750, 'Live')).toMatchObject({ code: 'CAMERA_STALLED' });
});

test('a file may wait for a slow reader while its child sends heartbeats', () => {
  const watchdog = new Watchdog(options, false, 0);
  watchdog.progress(0);
  watchdog.progress(100);
  for (let now = 500; now < 3_600_000; now += 500) {
    watchdog.report(now, 4, MB);
    expect(checkOnTime(watchdog, now, 'Live')).toBeNull();
  }
});

test('a child that exceeds its memory limit is unhealthy', () => {
  const watchdog = new Watchdog(options, true, 0);
  watchdog.progress(0);
  watchdog.report(100, 1, 512 * MB);
  expect(checkOnTime(watchdog, 100, 'Live')).toBeNull();
  watchdog.report(600, 2, 600 * MB);
  expect(checkOnTime(watchdog, 600, 'Live')).toMatchObject({
    code: 'CAMERA_PROCESS_DIED',
    message: expect.stringContaining('600 MB'),
  });
});
