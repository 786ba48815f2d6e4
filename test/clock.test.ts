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
    /\bDate\.now\b|\bnew Date\(\)|\bprocess\.hrtime\b|\bperformance\.(?:now|timeOrigin)\b|\bprocess\.uptime\b/;
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

test('a stamp that the clock never showed is as old as its last step at most, and never in the future', () => {
  pass(10_000);
  clock.wallMicros();
  wall += HOUR;
  clock.wallMicros();
  pass(1_000);
  expect(clock.ageMs((wall - HOUR / 2) * 1_000)).toBeLessThan(1_500);
  expect(clock.ageMs((wall + 5_000) * 1_000)).toBe(0);
});

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
