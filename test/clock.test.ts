import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const HOUR = 3_600_000;
/** Unix and monotonic milliseconds. */
let wall = 1_800_000_000_000;
let monotonic = 50_000;
let clock: typeof import('../src/clock.ts');

function pass(ms: number): void {
  wall += ms;
  monotonic += ms;
}

beforeEach(async () => {
  vi.spyOn(Date, 'now').mockImplementation(() => Math.floor(wall));
  vi.spyOn(performance, 'now').mockImplementation(() => monotonic);
  vi.resetModules();
  clock = await import('../src/clock.ts');
  clock.wallMicros();
});

afterEach(() => {
  vi.restoreAllMocks();
});

test('nothing but src/clock.ts reads a clock', () => {
  const reads =
    /\bDate\.now\b|\bDate\(\)|\bnew Date\b(?!\()|\bhrtime\b|\bperformance\.|\bprocess\.uptime\b|\btimeStamp\b|\bTemporal\./;
  const readers = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[cm]?[jt]s$/.test(name))
    .map((name) => join('src', name))
    .filter((file) => reads.test(readFileSync(file, 'utf8')));
  expect(readers).toEqual(['src/clock.ts']);
});

test.each([-HOUR, -2_000, 60_000, 24 * HOUR])('a step of %i ms changes no age', (step) => {
  const before = clock.wallMicros();
  pass(400);
  wall += step;
  expect(clock.ageMs(before)).toBeCloseTo(400, 0);
  const after = clock.wallMicros();
  expect(Math.abs(after / 1_000 - wall)).toBeLessThan(1.1);
  pass(Math.min(300, Math.abs(step)));
  expect(clock.ageMs(after)).toBeCloseTo(300, 0);
  expect(clock.monotonicAt(after) - clock.monotonicAt(before)).toBeCloseTo(400, 0);
});

test('stamps of another process count although this one has not looked at its clock since the step', () => {
  wall -= HOUR;
  const byOther = wall * 1_000;
  pass(700);
  expect(clock.ageMs(byOther)).toBeCloseTo(700, 0);
});

test('stamps from before this process, and of other hosts, count by the clock as it is now; none is in the future', () => {
  pass(10_000);
  clock.wallMicros();
  wall += HOUR;
  clock.wallMicros();
  pass(1_000);
  expect(clock.ageMs((wall - 30 * HOUR) * 1_000)).toBeCloseTo(30 * HOUR, 0);
  expect(clock.ageMs((wall - HOUR / 2) * 1_000)).toBeCloseTo(HOUR / 2, 0);
  expect(clock.ageMs((wall + 5_000) * 1_000)).toBe(0);
});

test('a stamp is restamped by the clock as it is now; a measured span has the length of the work', () => {
  const end = clock.measureSpan();
  const before = clock.wallMicros();
  pass(400);
  wall -= HOUR;
  expect(clock.restamp(before) / 1_000).toBeCloseTo(wall - 400, -1);
  const now = clock.wallMicros();
  expect(clock.restamp(now)).toBe(now);
  const { from, to } = end();
  expect(to - from).toBe(400_000);
});

test.each([-HOUR, HOUR])(
  'the latency of an event survives a step of %i ms before its acknowledgement',
  async (step) => {
    const { latency } = await import('../src/domain/latency.ts');
    const receivedAt = clock.wallMicros();
    const stamp = { captureTime: receivedAt - 80_000, receivedAt };
    pass(300);
    wall += step;
    expect(latency({ ...stamp, clockSource: 'rtcp' }) / 1_000).toBeCloseTo(380, 0);
    expect(latency({ ...stamp, clockSource: 'file', captureTime: 40_000 }) / 1_000).toBeCloseTo(300, 0);
    // The camera's clock is an hour ahead.
    expect(latency({ ...stamp, clockSource: 'rtcp', captureTime: receivedAt + HOUR }) / 1_000).toBeCloseTo(
      300,
      0,
    );
  },
);

test('a step is told, with its size; the corrections of a clock that is disciplined are not', () => {
  const steps: number[] = [];
  const end = clock.onClockStep((step) => steps.push(Math.round(step)));
  for (let n = 0; n < 100; n++) {
    pass(1_000);
    wall += 20;
    clock.wallMicros();
  }
  expect(steps).toEqual([]);
  expect(clock.wallMicros() / 1_000 - wall).toBeCloseTo(0, -1);
  wall -= HOUR;
  clock.wallMicros();
  clock.wallMicros();
  end();
  wall += HOUR;
  clock.wallMicros();
  expect(steps).toEqual([-HOUR]);
});

test('clocks that were read far apart are not compared: this process was stopped in between', () => {
  const steps: number[] = [];
  const end = clock.onClockStep((step) => steps.push(step));
  vi.mocked(Date.now).mockImplementationOnce(() => {
    pass(4_000);
    return Math.floor(wall);
  });
  clock.wallMicros();
  clock.wallMicros();
  end();
  expect(steps).toEqual([]);
});
