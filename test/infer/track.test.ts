import { expect, it } from 'vitest';
import { inferOptions } from '../../src/infer/options.ts';
import { TrackInference } from '../../src/infer/track.ts';
import { faceCrop } from './faces.ts';
import { countingModel } from './model.ts';

it('a track of frames that are meant to be a second apart has one window, until frames are missing', () => {
  const id = { cameraId: 'cam', epoch: 0, trackId: 1 };
  const track = new TrackInference(id, countingModel(32, 4), inferOptions.parse({ hop: 4 }));
  const embedding = new Float32Array(2);
  const append = (frame: number) => {
    const { pixels: _, ...face } = faceCrop({ frame, at: frame * 1_010_000, interval: 1_000_000 });
    return track.append(face, embedding).map(({ faces, end }) => [faces.map((one) => one.frame), end]);
  };
  expect([0, 1, 3, 4, 5].flatMap(append)).toEqual([[[0, 1, 3, 4], null]]);
  expect(append(9)).toEqual([[[5], 'gap']]);
});
