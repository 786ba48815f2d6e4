import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Load, SHARES, SheddingPolicy } from '../../../src/ingest/host/shedding-policy.ts';

const UPDATE_MS = 2_000;
const LOW: Load = { lost: 0, ageMs: 50 };
const HIGH: Load = { lost: 0.4, ageMs: 200 };
const IDLE = { cpuBusy: 0.3, backpressure: false };

/** A policy with a simulated clock. */
class Simulation {
  readonly #shedding = new SheddingPolicy();
  #now = 0;

  /** The shares after `seconds` of constant loads. */
  for(seconds: number, loads: Record<string, Load>, host = IDLE): Record<string, number> {
    let shares = new Map<string, number>();
    for (let elapsed = 0; elapsed < seconds * 1000; elapsed += UPDATE_MS) {
      this.#now += UPDATE_MS;
      shares = this.#shedding.update(this.#now, new Map(Object.entries(loads)), host);
    }
    return Object.fromEntries(shares);
  }
}

describe('frames are shed', () => {
  test('not at a single spike, then step by step', () => {
    const simulation = new Simulation();
    expect(simulation.for(2, { a: HIGH })).toEqual({ a: 1 });
    expect(simulation.for(2, { a: LOW })).toEqual({ a: 1 });
    expect(simulation.for(4, { a: HIGH })).toEqual({ a: 3 / 4 });
    expect(simulation.for(4, { a: HIGH })).toEqual({ a: 1 / 2 });
    expect(simulation.for(60, { a: HIGH })).toEqual({ a: 1 / 8 });
  });

  test('also when crops arrive late without drops', () => {
    expect(new Simulation().for(4, { a: { lost: 0, ageMs: 1_500 } })).toEqual({ a: 3 / 4 });
  });

  test('by one camera alone when only its own process is overloaded', () => {
    expect(new Simulation().for(8, { a: HIGH, b: LOW, c: LOW })).toEqual({ a: 1 / 2, b: 1, c: 1 });
  });

  test.each([
    ['most of them drop frames', { a: HIGH, b: HIGH, c: LOW }, IDLE],
    [
      'one drops frames on a saturated machine',
      { a: HIGH, b: LOW, c: LOW },
      { cpuBusy: 0.99, backpressure: false },
    ],
    [
      'the stages after them cannot keep up',
      { a: LOW, b: LOW, c: LOW },
      { cpuBusy: 0.5, backpressure: true },
    ],
  ])('by all cameras alike when %s', (_, loads, host) => {
    expect(new Simulation().for(8, loads, host)).toEqual({ a: 1 / 2, b: 1 / 2, c: 1 / 2 });
  });
});

describe('recovery steps', () => {
  test('follow a period of low load, one by one', () => {
    const simulation = new Simulation();
    simulation.for(8, { a: HIGH });
    expect(simulation.for(14, { a: LOW })).toEqual({ a: 1 / 2 });
    expect(simulation.for(4, { a: LOW })).toEqual({ a: 3 / 4 });
    expect(simulation.for(16, { a: LOW })).toEqual({ a: 1 });
  });

  test('wait while the load is moderate', () => {
    const simulation = new Simulation();
    simulation.for(4, { a: HIGH });
    expect(simulation.for(600, { a: { lost: 0.05, ageMs: 100 } })).toEqual({ a: 3 / 4 });
  });

  test('that fail are tried less and less often, and soon again after a long period of low load', () => {
    const simulation = new Simulation();
    /** Number of recovery steps on a machine with capacity for half of the frames. */
    const recoveries = (seconds: number) => {
      let [count, share] = [0, 1];
      for (let second = 0; second < seconds; second += 2) {
        const next = simulation.for(2, { a: share > 1 / 2 ? HIGH : LOW }).a!;
        if (next > share) count += 1;
        share = next;
      }
      return count;
    };
    const [first, second] = [recoveries(600), recoveries(600)];
    expect(first).toBeGreaterThan(3);
    expect(second).toBeLessThanOrEqual(2);
    simulation.for(1_000, { a: LOW });
    simulation.for(4, { a: HIGH });
    expect(simulation.for(18, { a: LOW })).toEqual({ a: 1 });
  });
});

test('backpressure before any camera has settled sheds nothing', () => {
  const simulation = new Simulation();
  simulation.for(20, {}, { cpuBusy: 1, backpressure: true });
  expect(simulation.for(2, { a: LOW })).toEqual({ a: 1 });
});

test('a removed camera starts without shedding when it comes back', () => {
  const simulation = new Simulation();
  simulation.for(8, { a: HIGH, b: LOW, c: LOW });
  simulation.for(2, { b: LOW, c: LOW });
  expect(simulation.for(2, { a: LOW, b: LOW, c: LOW })).toEqual({ a: 1, b: 1, c: 1 });
});

test('for any loads, each share is one of SHARES and moves by at most one level per update', () => {
  const load = fc.record({
    lost: fc.double({ min: 0, max: 1, noNaN: true }),
    ageMs: fc.option(fc.nat(5_000)),
  });
  const updates = fc.array(fc.tuple(load, load, fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()), {
    maxLength: 80,
  });
  fc.assert(
    fc.property(updates, (all) => {
      const shedding = new SheddingPolicy();
      let before = [0, 0];
      all.forEach(([a, b, cpuBusy, backpressure], index) => {
        const shares = shedding.update(
          index * UPDATE_MS,
          new Map([
            ['a', a],
            ['b', b],
          ]),
          { cpuBusy, backpressure },
        );
        const levels = [...shares.values()].map((share) => SHARES.indexOf(share as (typeof SHARES)[number]));
        levels.forEach((level, camera) => {
          expect(level).toBeGreaterThanOrEqual(0);
          expect(Math.abs(level - before[camera]!)).toBeLessThanOrEqual(1);
        });
        before = levels;
      });
    }),
  );
});
