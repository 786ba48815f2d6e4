import { expect, test } from 'vitest';
import { LoadMeter } from '../../../src/ingest/host/load-meter.ts';

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
