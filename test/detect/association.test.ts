import fc from 'fast-check';
import { expect, test } from 'vitest';
import { associate } from '../../src/detect/association.ts';
import type { Detection } from '../../src/detect/detections.ts';
import type { Track } from '../../src/detect/track.ts';

test('association pairs each track and each detection at most once, by ascending cost', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.array(fc.option(fc.double({ min: 0, max: 1, noNaN: true })), { minLength: 4, maxLength: 4 }),
      ),
      (table) => {
        const tracks = table.map((_, i) => ({ trackId: i + 1 }) as Track);
        const detections = [0, 1, 2, 3].map((score) => ({ score }) as Detection);
        const cost = (track: Track, { score }: Detection) => table[track.trackId - 1]![score] ?? undefined;
        const { pairs, unmatchedTracks, unmatchedDetections } = associate(tracks, detections, cost);
        expect(new Set(pairs.map(([track]) => track)).size).toBe(pairs.length);
        expect(new Set(pairs.map(([, detection]) => detection)).size).toBe(pairs.length);
        expect(pairs.length + unmatchedTracks.length).toBe(tracks.length);
        expect(pairs.length + unmatchedDetections.length).toBe(4);
        for (const track of unmatchedTracks)
          for (const detection of unmatchedDetections) expect(cost(track, detection)).toBeUndefined();
        const cheapest = Math.min(...table.flat().filter((value) => value !== null));
        if (pairs.length > 0) expect(Math.min(...pairs.map((pair) => cost(...pair)!))).toBe(cheapest);
      },
    ),
  );
});
