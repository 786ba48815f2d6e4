import { describe, expect, test } from 'vitest';
import { KalmanFilter } from '../../src/detect/kalman.ts';

const SIGMA = 0.01;
const STEP = 1 / 25;

/** Standard normal noise, the same in every run. */
function* noise(): Generator<number> {
  let state = 12345;
  const uniform = () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return (state + 0.5) / 2 ** 31;
  };
  while (true) yield Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Filters noisy measurements of `truth` (time in seconds); returns the errors of the second half. */
function filterErrors(truth: (t: number) => number, frames = 200): number[] {
  const random = noise();
  const filter = new KalmanFilter(truth(0), SIGMA ** 2, 0.25, 0.02);
  const errors: number[] = [];
  for (let i = 1; i < frames; i++) {
    filter.predict(STEP);
    filter.update(truth(i * STEP) + SIGMA * random.next().value!, SIGMA ** 2);
    if (i > frames / 2) errors.push(filter.value - truth(i * STEP));
  }
  return errors;
}

const rms = (values: number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);

describe('the Kalman filter', () => {
  test('at rest has smaller errors than its measurements', () => {
    expect(rms(filterErrors(() => 3))).toBeLessThan(0.65 * SIGMA);
  });

  test('follows constant velocity without lag', () => {
    const moving = filterErrors((t) => 3 + 1.5 * t);
    expect(Math.abs(moving.reduce((a, b) => a + b) / moving.length)).toBeLessThan(0.3 * SIGMA);
  });

  test('follows a jump at once', () => {
    const filter = new KalmanFilter(0, SIGMA ** 2, 0.25, 0.02);
    for (let i = 0; i < 100; i++) {
      filter.predict(STEP);
      filter.update(0, SIGMA ** 2);
    }
    filter.predict(STEP);
    filter.update(0.5, SIGMA ** 2);
    expect(filter.value).toBeGreaterThan(0.49);
  });

  test('predicts through frames without measurements', () => {
    const filter = new KalmanFilter(0, SIGMA ** 2, 0.25, 0.02);
    for (let i = 1; i <= 50; i++) {
      filter.predict(STEP);
      filter.update(0.8 * i * STEP, SIGMA ** 2);
    }
    const sigma = filter.sigma;
    for (let i = 0; i < 5; i++) filter.predict(STEP);
    expect(filter.value).toBeCloseTo(0.8 * 55 * STEP, 2);
    expect(filter.sigma).toBeGreaterThan(sigma);
  });
});
