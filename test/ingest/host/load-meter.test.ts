import { expect, test } from 'vitest';
import { LoadShedder } from '../../../src/ingest/child/load-shedder.ts';
import { LoadMeter } from '../../../src/ingest/host/load-meter.ts';
import { minimumShare } from '../../../src/ingest/protocol/minimum-share.ts';

const counts = (analysed: number, drops: Record<string, number> = {}) => ({
  decoded: analysed + Object.values(drops).reduce((sum, count) => sum + count, 0),
  analysed,
  drops,
});

test('the load is that since the last sample, across epochs and child processes', () => {
  const meter = new LoadMeter();
  meter.report(counts(100, { analysis_slow: 100 }));
  meter.frame(10);
  expect(meter.sample(0, undefined)).toEqual({ lost: 0.5, ageMs: 10 });
  meter.report(counts(110, { analysis_slow: 100, analysis_fps: 50, overload: 30 }));
  expect(meter.sample(0, undefined)).toEqual({ lost: 0, ageMs: null });
  // A new epoch counts from zero.
  meter.report(counts(3, { host_slow: 1 }));
  for (const age of [900, 20, 30]) meter.frame(age);
  expect(meter.sample(0, undefined)).toEqual({ lost: 0.25, ageMs: 30 });
  // A new child may have decoded more frames by its first report than the last one.
  meter.reset();
  meter.report(counts(40, { too_old: 10 }));
  expect(meter.sample(0, undefined)).toEqual({ lost: 0.2, ageMs: null });
});

test('the cores needed are the cores used, scaled up to every due frame', () => {
  const meter = new LoadMeter();
  const work = (ms: number) => {
    const end = process.cpuUsage().user + ms * 1000;
    while (process.cpuUsage().user < end);
  };
  let used = process.cpuUsage();
  for (let index = 0; index <= 5; index++) {
    expect(meter.coresNeeded).toBeNull();
    // Of four due frames, one is analysed, one is dropped as too slow, two are shed.
    meter.report(counts(10 * (index + 1), { analysis_slow: 10 * (index + 1), overload: 20 * (index + 1) }));
    if (index > 0) work(40);
    else used = process.cpuUsage();
    meter.sample(index * 2_000, process.pid);
  }
  const { user, system } = process.cpuUsage(used);
  const cores = (user + system) / 1e6 / 10;
  // The kernel's clock ticks are hundredths of a second.
  expect(Math.abs(meter.coresNeeded! - 4 * cores)).toBeLessThan(4 * 0.004);
  meter.reset();
  expect(meter.coresNeeded).toBeNull();
});

test('a pace lets an even share pass', () => {
  for (const share of [1, 3 / 4, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8]) {
    const pace = new LoadShedder();
    pace.share = share;
    const passed = Array.from({ length: 240 }, () => pace.admit());
    expect(passed.filter(Boolean).length).toBe(240 * share);
    const last = passed.lastIndexOf(true, 119);
    expect(passed.indexOf(true, 120) - last).toBeLessThanOrEqual(Math.ceil(1 / share));
  }
});

test.each([
  [1, 1],
  [5, 1],
  [5, 0.3],
  [25, 1],
  [30, 0.2],
])('shedding leaves no hole in a stream of %d frames a second (gapSeconds: %d)', (fps, gapSeconds) => {
  const interval = 1_000_000 / fps;
  const pace = new LoadShedder();
  pace.share = 1 / 8;
  let last = 0;
  let longest = 0;
  for (let frame = 1; frame < 50 * fps; frame++) {
    if (!pace.admit(minimumShare(interval, gapSeconds))) continue;
    longest = Math.max(longest, frame - last);
    last = frame;
  }
  expect(longest).toBeLessThanOrEqual(8);
  expect(longest * interval * 1.2).toBeLessThanOrEqual(Math.max(gapSeconds * 1e6, 2.5 * interval));
  // A slow stream is shed, too, as far as it can be.
  expect(longest).toBeGreaterThan(1);
});
