import { expect, test } from 'vitest';
import { RunCounter } from '../../src/app/summary.ts';
import { generatedStatus } from '../dashboard/generated.ts';

test('dropped is what was lost in all epochs and stages, not what the config thins out', () => {
  const counter = new RunCounter();
  const status = (epoch: number, drops: Record<string, number>) =>
    counter.status(generatedStatus('hall', 'LIVE', { epoch, drops }));
  status(1, { analysis_fps: 100, analysis_slow: 2 });
  status(1, { analysis_fps: 200, analysis_slow: 3 });
  status(2, { analysis_fps: 50, too_old: 1 });
  counter.dropped('hall', 4, 'inference_overload');
  expect(counter.summary().dropped).toBe(3 + 1 + 4);
  expect(status(2, { analysis_fps: 60 }).drops).toEqual({ analysis_fps: 60, inference_overload: 4 });
});
