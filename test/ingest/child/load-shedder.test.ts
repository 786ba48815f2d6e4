import { expect, test } from 'vitest';
import { LoadShedder } from '../../../src/ingest/child/load-shedder.ts';

const admitted = (shedder: LoadShedder, frames: number, minimumShare?: number) =>
  Array.from({ length: frames }, (_, frame) => frame).filter(() => shedder.admit(minimumShare));

test.each([
  [1, 12],
  [3 / 4, 9],
  [1 / 2, 6],
  [1 / 3, 4],
  [1 / 8, 1],
  [0, 0],
])('a share of %d admits %d of 12 frames, evenly spaced', (share, count) => {
  const shedder = new LoadShedder();
  shedder.share = share;
  const frames = admitted(shedder, 12);
  expect(frames).toHaveLength(count);
  const spacing = frames.slice(1).map((frame, index) => frame - frames[index]!);
  for (const step of spacing) expect(Math.abs(step - 1 / share)).toBeLessThan(1);
});

test('the minimum share is admitted in any case', () => {
  const shedder = new LoadShedder();
  shedder.share = 0;
  expect(admitted(shedder, 12, 1 / 4)).toEqual([3, 7, 11]);
});

test('admitted frames are evenly spread over a long run', () => {
  for (const share of [1, 3 / 4, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8]) {
    const shedder = new LoadShedder();
    shedder.share = share;
    const admissions = Array.from({ length: 240 }, () => shedder.admit());
    expect(admissions.filter(Boolean).length).toBe(240 * share);
    const last = admissions.lastIndexOf(true, 119);
    expect(admissions.indexOf(true, 120) - last).toBeLessThanOrEqual(Math.ceil(1 / share));
  }
});
