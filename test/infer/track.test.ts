import { expect, it } from 'vitest';
import { AU_COUNT } from '../../src/domain/scores.ts';
import { inferOptions } from '../../src/infer/options.ts';
import { effectiveSmoothing } from '../../src/infer/smoothing.ts';
import { TrackInference } from '../../src/infer/track.ts';
import { faceCrop } from './faces.ts';
import { fakeModel } from './fake-model.ts';

it('uses the model’s σ for the smoothing mode if the config has none', () => {
  const model = { ...fakeModel(32, 4), sigma: { causal: 1, centered: 2 } };
  const sigma = (smoothing: object) =>
    effectiveSmoothing(model, inferOptions.parse({ smoothing }).smoothing).sigma;
  expect([{}, { mode: 'centered' }, { sigma: 3 }, { mode: 'centered', sigma: 4 }].map(sigma)).toEqual([
    1, 2, 3, 4,
  ]);

  const scores = (options: object) => {
    const id = { cameraId: 'cam', epoch: 0, trackId: 1 };
    const track = new TrackInference(id, model, inferOptions.parse({ hop: 4, ...options }));
    const hops = Array.from({ length: 4 }, (_, frame) => {
      const { pixels: _pixels, ...face } = faceCrop({ frame });
      return track.append(face, new Float32Array(2));
    }).flat();
    const raw = Float32Array.from({ length: 4 * AU_COUNT }, (_, i) => (i < AU_COUNT ? 1 : 0));
    return hops.flatMap((hop) => track.finish(hop, raw, 0).frames).map(({ aus }) => aus.au01!.p);
  };
  expect(scores({})).toEqual(scores({ smoothing: { sigma: 1 } }));
  expect(scores({})).not.toEqual(scores({ smoothing: { sigma: 3 } }));
});

it('keeps one window at a frame interval of one second, and splits it when frames are missing', () => {
  const id = { cameraId: 'cam', epoch: 0, trackId: 1 };
  const track = new TrackInference(id, fakeModel(32, 4), inferOptions.parse({ hop: 4 }));
  const embedding = new Float32Array(2);
  const append = (frame: number) => {
    const { pixels: _, ...face } = faceCrop({ frame, at: frame * 1_010_000, interval: 1_000_000 });
    return track
      .append(face, embedding)
      .map(({ faces, endReason }) => [faces.map((face) => face.frame), endReason]);
  };
  expect([0, 1, 3, 4, 5].flatMap(append)).toEqual([[[0, 1, 3, 4], null]]);
  expect(append(9)).toEqual([[[5], 'gap']]);
});
