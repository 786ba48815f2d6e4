import fc from 'fast-check';
import { expect, it } from 'vitest';
import { eventId, faceKey, parseTrackKey, trackKey } from '../../src/domain/track-key.ts';

const track = { cameraId: 'lobby', epoch: 1_764_500_000_000, trackId: 7 };

it('formats keys and event ids', () => {
  expect(trackKey(track)).toBe('lobby/1764500000000/7');
  expect(faceKey(track)).toBe('lobby/7');
  expect(eventId({ ...track, frame: 42 })).toBe('lobby/1764500000000/7/42');
});

it('parses every track key that it formats', () => {
  const anyTrack = fc.record({
    cameraId: fc.stringMatching(/^[A-Za-z0-9._-]+$/),
    epoch: fc.maxSafeNat(),
    trackId: fc.maxSafeNat(),
  });
  fc.assert(
    fc.property(anyTrack, (key) => {
      expect(parseTrackKey(trackKey(key))).toEqual(key);
    }),
  );
});

it('returns null for text with fewer than three parts', () => {
  expect(parseTrackKey('lobby')).toBeNull();
  expect(parseTrackKey('lobby/7')).toBeNull();
});
