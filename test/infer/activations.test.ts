import { describe, expect, it } from 'vitest';
import type { AuFrame } from '../../src/domain/event.ts';
import { AU_NAMES } from '../../src/domain/scores.ts';
import { eventId } from '../../src/domain/track-key.ts';
import { ActivationTracker } from '../../src/infer/activations.ts';
import { faceCrop } from './faces.ts';

const MODEL = { name: 'm', version: '1', sha256: '0'.repeat(64), trained: true };

/** A frame in which AU12 has score `p` and every other AU 0; null: an unreliable frame. */
function frame(index: number, p: number | null): AuFrame {
  const { pixels: _, ...face } = faceCrop({ frame: index });
  const state = (name: string) =>
    p === null ? null : { raw: p, p: name === 'au12' ? p : 0, active: false, reliability: 0.9 };
  return {
    ...face,
    eventId: eventId(face),
    inferredAt: 5,
    warmup: false,
    model: MODEL,
    aus: Object.fromEntries(AU_NAMES.map((name) => [name, state(name)])) as AuFrame['aus'],
  };
}

function tracker(minSeconds = 0.2) {
  return new ActivationTracker({ minSeconds, release: 0.8 }, new Float32Array(12).fill(0.5));
}

function run(scores: readonly (number | null)[], minSeconds?: number) {
  const activations = tracker(minSeconds);
  return scores.flatMap((p, index) => activations.push(frame(index, p)));
}

describe('ActivationTracker', () => {
  it('names the zones of the onset frame, in both records', () => {
    const activations = tracker();
    const walked = [0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1].flatMap((p, index) =>
      activations.push({ ...frame(index, p), zones: index === 0 ? ['door', 'hall'] : ['hall'] }),
    );
    expect(walked.map(({ phase, zones }) => [phase, zones])).toEqual([
      ['ONSET', ['door', 'hall']],
      ['OFFSET', ['door', 'hall']],
    ]);
  });

  it('emits ONSET after the minimum duration and OFFSET with the same activationId at the end', () => {
    const [onset, offset, ...rest] = run([0.1, 0.5, 0.6, 0.7, 0.9, 0.8, 0.7, 0.6, 0.3, 0.1]);
    expect(rest).toEqual([]);
    expect(onset).toMatchObject({
      eventId: 'cam/0/1/au12/1/ONSET',
      phase: 'ONSET',
      au: 'au12',
      onset: 40_000,
      duration: 200_000,
      frames: 6,
      offset: null,
      end: null,
      reliability: 0.9,
    });
    expect(offset).toMatchObject({
      activationId: onset!.activationId,
      phase: 'OFFSET',
      onset: 40_000,
      apex: 160_000,
      peak: 0.9,
      offset: 320_000,
      duration: 280_000,
      frames: 7,
      end: 'below_threshold',
    });
    expect(offset!.mean).toBeCloseTo((0.5 + 0.6 + 0.7 + 0.9 + 0.8 + 0.7 + 0.6) / 7, 6);
  });

  it('has hysteresis: a score that oscillates around the threshold gives one activation', () => {
    const oscillating = Array.from({ length: 40 }, (_, i) => (i % 2 ? 0.45 : 0.52));
    expect(run([...oscillating, 0.39]).map(({ phase }) => phase)).toEqual(['ONSET', 'OFFSET']);
  });

  it('opens no activation between release and threshold, and reports none below the minimum duration', () => {
    expect(run(new Array(40).fill(0.45))).toEqual([]);
    expect(run([0.1, 0.9, 0.9, 0.1, 0.1, 0.9, 0.1])).toEqual([]);
  });

  it('ignores frames without scores', () => {
    const phases = run([0.6, null, null, 0.7, 0.7, 0.7, 0.7, null, 0.7, 0.1]).map(({ phase }) => phase);
    expect(phases).toEqual(['ONSET', 'OFFSET']);
  });

  it('end() closes an open activation at its last frame with the reason, only if ONSET was emitted', () => {
    const activations = tracker();
    for (let index = 0; index < 10; index += 1) activations.push(frame(index, 0.8));
    expect(activations.end('track_ended')).toMatchObject([
      { phase: 'OFFSET', offset: 360_000, end: 'track_ended', frames: 10 },
    ]);
    activations.push(frame(11, 0.8));
    expect(activations.end('gap')).toEqual([]);
  });
});
