import { expect, test } from 'vitest';
import { RunStatistics } from '../../src/app/summary.ts';
import { generatedStatus } from '../dashboard/generated.ts';

test('dropped counts losses of all epochs and stages, but not frames skipped by analysisFps', () => {
  const statistics = new RunStatistics();
  const status = (epoch: number, drops: Record<string, number>) =>
    statistics.status(generatedStatus('hall', 'LIVE', { epoch, drops }));
  status(1, { analysis_fps: 100, analysis_slow: 2 });
  status(1, { analysis_fps: 200, analysis_slow: 3 });
  status(2, { analysis_fps: 50, too_old: 1 });
  statistics.dropped('hall', 4, 'inference_overload');
  expect(statistics.summary().dropped).toBe(3 + 1 + 4);
  expect(status(2, { analysis_fps: 60 }).drops).toEqual({ analysis_fps: 60, inference_overload: 4 });
});
