import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AuFrame } from '../../src/domain/event.ts';
import { AU_NAMES } from '../../src/domain/scores.ts';
import { ActivationTracker } from '../../src/infer/activations.ts';
import { timeSeriesSvg } from '../../src/report/chart.ts';
import { plotSvg } from '../../src/report/plot.ts';
import { activationsOf, auStatistics, gapsOf } from '../../src/report/statistics.ts';
import { generatedFrame } from '../dashboard/generated.ts';
import { firstTrack, frames, recordingOf } from './recorded.ts';

describe('statistics', () => {
  /** Frames of one track in which all AUs are active (1), inactive (0) or without scores (-). */
  const framesOf = (pattern: string) =>
    [...pattern].map((kind, frame): AuFrame => {
      const receivedAt = 1.7e15 + frame * 40_000;
      const generated = generatedFrame({
        cameraId: 'c',
        trackId: 1,
        frame,
        receivedAt,
        unreliable: kind === '-',
      });
      if (kind === '-') return generated;
      const state = { raw: 0.5, p: kind === '1' ? 0.8 : 0.2, active: kind === '1', reliability: null };
      return {
        ...generated,
        aus: Object.fromEntries(AU_NAMES.map((name) => [name, state])) as AuFrame['aus'],
      };
    });

  /** The first AU's activations as published on the topic; 25 or more frames without scores end them. */
  function published(pattern: string): { from: number; to: number }[] {
    const tracker = new ActivationTracker({ minSeconds: 0, release: 1 }, new Float32Array(12).fill(0.5));
    const remaining = framesOf(pattern);
    const ends = pattern.split(/(?<=-{25,})(?=[01])/).flatMap((part) => {
      const rows = remaining.splice(0, part.length).flatMap((frame) => tracker.push(frame));
      return [...rows, ...tracker.end('unreliable')];
    });
    return ends
      .filter(({ au, phase }) => au === 'au01' && phase === 'OFFSET')
      .map(({ onset, offset }) => ({ from: onset / 1e6, to: offset! / 1e6 }));
  }

  test('match the published activations for any pattern of active, inactive and unscored frames', () => {
    const span = fc.oneof(
      fc.tuple(fc.constantFrom('0', '1'), fc.integer({ min: 1, max: 8 })),
      fc.tuple(fc.constant('-'), fc.constantFrom(1, 2, 20, 30)),
    );
    const patterns = fc
      .array(span, { minLength: 1, maxLength: 30 })
      .map((spans) => spans.map(([kind, length]) => kind.repeat(length)).join(''))
      // Exactly one second without scores is decided by rounding.
      .filter((pattern) => !/(?<!-)-{24,25}(?!-)/.test(pattern));
    fc.assert(
      fc.property(patterns, (pattern) => {
        const [statistics] = auStatistics(firstTrack(recordingOf(framesOf(pattern))));
        expect(statistics!.activations).toEqual(published(pattern));
        const scored = pattern.replaceAll('-', '');
        if (scored === '') expect(statistics!.activeShare).toBeNull();
        else
          expect(statistics!.activeShare).toBeCloseTo(scored.replaceAll('0', '').length / scored.length, 10);
      }),
      { examples: [[`${'1'.repeat(24)}-`.repeat(60)], [`111${'-'.repeat(30)}111`]] },
    );
  });

  test('no activation spans a gap', () => {
    const gap = (frame: number) => frame >= 100 && frame < 200;
    const track = firstTrack(recordingOf(frames(12, { skip: gap })));
    for (let au = 0; au < AU_NAMES.length; au++)
      for (const { from, to } of activationsOf(track, au)) {
        const [before, after] = [1.7e9 + 99 * 0.04, 1.7e9 + 200 * 0.04];
        expect(from <= before && to >= after).toBe(false);
      }
  });
});

test('frames of a slow stream have no gaps between them', () => {
  const slow = frames(1).map((frame, n) => ({ ...frame, captureTime: 1.7e15 + n * 1e6 + (n % 3) * 50_000 }));
  const active = { raw: 0.9, p: 0.9, active: true, reliability: null };
  const aus = Object.fromEntries(AU_NAMES.map((name) => [name, active])) as AuFrame['aus'];
  const track = firstTrack(recordingOf(slow.map((frame) => ({ ...frame, aus }))));
  expect(activationsOf(track, 0)).toEqual([{ from: 1.7e9, to: 1.7e9 + 24 }]);
  expect(gapsOf(track)).toEqual([]);
  expect(plotSvg(track)).not.toContain('<rect class="unscored"');
  expect(timeSeriesSvg(track).match(/class="smoothed" d="M[^M"]+"/g)).toHaveLength(12);
});
