import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuScores, SmoothedScores } from '../../src/domain/scores.ts';
import { ScoreSmoother } from '../../src/infer/smoothing.ts';
import { faceCrop } from './faces.ts';

const golden: Record<'x' | 'centered' | 'causal', number[][]> = JSON.parse(
  readFileSync(new URL('../fixtures/smoothing/golden.json', import.meta.url), 'utf8'),
);

type Mode = 'causal' | 'centered';

function smooth(scores: readonly AuScores[], mode: Mode, kernel = 51, sigma = 3): SmoothedScores[] {
  const smoother = new ScoreSmoother({ mode, kernel, sigma });
  return [...scores.flatMap((frame) => smoother.push(frame)), ...smoother.end()];
}

/** The filter's formula evaluated over all frames at once. */
function bruteForce(
  scores: readonly AuScores[],
  mode: Mode,
  kernel: number,
  sigma: number,
): (number | null)[] {
  const halfKernel = Math.floor(kernel / 2);
  return scores.map((at) => {
    if (!at.raw) return null;
    let [sum, weightSum] = [0, 0];
    for (const x of scores) {
      const d = (x.face.captureTime - at.face.captureTime) / 40_000;
      if (!x.raw || Math.abs(Math.round(d)) > halfKernel || (mode === 'causal' && d > 0)) continue;
      sum += x.raw[0]! * Math.exp((-d * d) / (2 * sigma ** 2));
      weightSum += Math.exp((-d * d) / (2 * sigma ** 2));
    }
    return sum / weightSum;
  });
}

describe('ScoreSmoother', () => {
  const clip = golden.x.map(
    (row, frame): AuScores => ({
      face: faceCrop({ frame }),
      warmup: false,
      raw: Float32Array.from(row),
    }),
  );

  it.each<Mode>(['causal', 'centered'])(
    'equals SciPy with the paper’s kernel (51 taps, σ 3) to 1e-6, first and last frames included: %s',
    (mode) => {
      const smoothed = smooth(clip, mode);
      expect(smoothed.map(({ face }) => face.frame)).toEqual(clip.map(({ face }) => face.frame));
      smoothed.forEach((result, frame) => {
        result.smoothed!.forEach((p, au) => {
          expect(Math.abs(p - golden[mode][frame]![au]!)).toBeLessThan(1e-6);
        });
      });
    },
  );

  it('returns a frame at once when causal, 25 frames later when centered', () => {
    const causal = new ScoreSmoother({ mode: 'causal', kernel: 51, sigma: 3 });
    const centered = new ScoreSmoother({ mode: 'centered', kernel: 51, sigma: 3 });
    const last = (smoother: ScoreSmoother) =>
      clip.map((frame) => smoother.push(frame).at(-1)?.face.frame ?? null);
    expect(last(causal).slice(0, 3)).toEqual([0, 1, 2]);
    expect(last(centered).slice(24, 28)).toEqual([null, 0, 1, 2]);
  });

  it('returns raw scores when off', () => {
    const off = new ScoreSmoother({ mode: 'off', kernel: 51, sigma: 3 });
    expect(off.push(clip[0]!)[0]!.smoothed).toEqual(clip[0]!.raw);
  });

  it('equals the brute-force formula with dropped and unreliable frames', () => {
    const step = fc.record({
      skip: fc.integer({ min: 1, max: 30 }),
      value: fc.float({ min: 0, max: 1, noNaN: true }),
      reliable: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 120 }),
        fc.constantFrom<Mode>('causal', 'centered'),
        fc.constantFrom(1, 3, 11, 51),
        fc.constantFrom(0.5, 3, 10),
        (steps, mode, kernel, sigma) => {
          let frame = 0;
          const scores = steps.map(({ skip, value, reliable }): AuScores => {
            frame += skip;
            const raw = reliable ? new Float32Array(12).fill(value) : null;
            return { face: faceCrop({ frame }), warmup: false, raw };
          });
          const smoothed = smooth(scores, mode, kernel, sigma);
          const expected = bruteForce(scores, mode, kernel, sigma);
          expect(smoothed.length).toBe(scores.length);
          smoothed.forEach((result, index) => {
            expect(result.face.frame).toBe(scores[index]!.face.frame);
            if (expected[index] === null) expect(result.smoothed).toBeNull();
            else expect(Math.abs(result.smoothed![0]! - expected[index]!)).toBeLessThan(1e-6);
          });
        },
      ),
      { numRuns: 300 },
    );
  });
});
