import { expect, test } from 'vitest';
import { LoadShedder } from '../../../src/ingest/child/load-shedder.ts';
import { minimumShare } from '../../../src/ingest/protocol/minimum-share.ts';

test.each([
  [1, 1],
  [5, 1],
  [5, 0.3],
  [25, 1],
  [30, 0.2],
])('shedding causes no gap in a stream of %d fps (gapSeconds: %d)', (fps, gapSeconds) => {
  const interval = 1_000_000 / fps;
  const shedder = new LoadShedder();
  shedder.share = 1 / 8;
  let last = 0;
  let longest = 0;
  for (let frame = 1; frame < 50 * fps; frame++) {
    if (!shedder.admit(minimumShare(interval, gapSeconds))) continue;
    longest = Math.max(longest, frame - last);
    last = frame;
  }
  expect(longest).toBeLessThanOrEqual(8);
  expect(longest * interval * 1.2).toBeLessThanOrEqual(Math.max(gapSeconds * 1e6, 2.5 * interval));
  // Slow streams are shed, too, as far as tracking allows.
  expect(longest).toBeGreaterThan(1);
});
