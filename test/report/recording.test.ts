import { expect, test } from 'vitest';
import { firstTrack, frames, recordingOf } from './recorded.ts';

test('a redelivered frame counts once', () => {
  const delivered = frames(2);
  expect(firstTrack(recordingOf(delivered, delivered.slice(10, 20))).frameCount).toBe(50);
});
