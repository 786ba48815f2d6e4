import { describe, expect, it } from 'vitest';
import { ClipScript, ScriptComparison } from '../../src/app/demo-ground-truth.ts';
import type { AuFrame } from '../../src/domain/event.ts';
import { AU_NAMES } from '../../src/domain/scores.ts';
import { eventId } from '../../src/domain/track-key.ts';
import { faceCrop } from '../infer/faces.ts';

const script = new ClipScript(new URL('../../models/demo/truth.csv', import.meta.url).pathname);
const STARTED_AT = 1_700_000_000;

/** A frame with the script's intensities of `shift` frames later as its scores; `active` from `threshold` on. */
function scored(index: number, threshold = 0.3, shift = 0): AuFrame {
  const { pixels: _, ...face } = faceCrop({
    frame: index,
    at: Math.round((STARTED_AT + index / script.fps) * 1e6),
  });
  const row = script.frames[(index + shift) % script.frames.length]!;
  const aus = AU_NAMES.map((name, au) => [
    name,
    { raw: row[au]!, p: row[au]!, active: row[au]! >= threshold, reliability: null },
  ]);
  const model = { name: 'm', version: '1', sha256: '', trained: true };
  return {
    ...face,
    eventId: eventId(face),
    inferredAt: 0,
    warmup: false,
    model,
    aus: Object.fromEntries(aus),
  };
}

function compare(frames: readonly AuFrame[]) {
  const comparison = new ScriptComparison(script);
  for (const frame of frames) comparison.add(frame);
  return new Map(comparison.agreement(STARTED_AT).map((agreement) => [agreement.au, agreement]));
}

describe('ScriptComparison', () => {
  it('reads the demo clip’s script: 24 s at 25 fps', () => {
    expect(script.frames.length).toBe(600);
    expect(script.fps).toBeCloseTo(25, 6);
  });

  it('finds perfect agreement over more than one loop, and null for AUs that the script never moves', () => {
    const agreement = compare(Array.from({ length: 900 }, (_, i) => scored(i)));
    expect(agreement.get('au12')).toMatchObject({ r: expect.closeTo(1, 9), f1: 1 });
    expect(agreement.get('au23')).toMatchObject({ r: null, f1: null });
  });

  it('counts false positives and false negatives', () => {
    const late = compare(Array.from({ length: 600 }, (_, i) => scored(i, 0.6, 10))).get('au12')!;
    expect(late.r).toBeLessThan(0.99);
    expect(late.f1).toBeGreaterThan(0);
    expect(late.f1).toBeLessThan(1);
  });
});
