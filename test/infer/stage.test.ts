import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { AuActivation, AuFrame } from '../../src/domain/event.ts';
import type { FaceCrop } from '../../src/domain/face.ts';
import { inferOptions } from '../../src/infer/options.ts';
import { InferStage } from '../../src/infer/stage.ts';
import { faceCrop, frameOf } from './faces.ts';
import { fakeModel, referenceScores } from './fake-model.ts';

const WINDOW = 32;

function openStage(
  config: { hop?: number; [key: string]: unknown },
  model = fakeModel(WINDOW, config.hop ?? 16),
) {
  const frames: AuFrame[] = [];
  const activations: AuActivation[] = [];
  const dropped: Record<string, number> = {};
  const stage = new InferStage(model, inferOptions.parse({ smoothing: { mode: 'off' }, ...config }), {
    frames: (events) => void frames.push(...events),
    activations: (events) => void activations.push(...events),
    dropped: (cameraId, crops) => {
      dropped[cameraId] = (dropped[cameraId] ?? 0) + crops;
    },
  });
  return { stage, model, frames, activations, dropped };
}

/** A model whose encoder blocks until `release` is called. */
function blockedModel(hop: number) {
  const model = fakeModel(WINDOW, hop);
  const gate = Promise.withResolvers<void>();
  const { encode } = model;
  model.encode = async (crops, n) => {
    await gate.promise;
    return encode(crops, n);
  };
  return { model, release: () => gate.resolve() };
}

/**
 * Expected raw scores of a track by frame, recomputed from scratch: segments split at gaps of more than one second
 * between reliable crops, then for every hop the window of the newest frames, edge-padded on the left.
 */
function fullRecompute(crops: readonly FaceCrop[], hop: number): Map<number, number | null> {
  const segments: FaceCrop[][] = [];
  let reliable: number | null = null;
  for (const crop of crops) {
    if (segments.length === 0 || (reliable !== null && crop.captureTime - reliable > 1e6)) {
      segments.push([]);
      reliable = null;
    }
    segments.at(-1)!.push(crop);
    if (!crop.quality.unreliable) reliable = crop.captureTime;
  }
  const scores = new Map<number, number | null>();
  for (const segment of segments)
    for (let from = 0; from < segment.length; from += hop) {
      const until = segment.slice(0, Math.min(segment.length, from + hop));
      const values: number[] = [];
      for (const crop of until)
        if (!crop.quality.unreliable) values.push(crop.pixels[0]! / 255);
        else if (values.length > 0) values.push(values.at(-1)!);
      const newest = values.slice(-WINDOW);
      const padded = [...new Array<number>(WINDOW - newest.length).fill(newest[0] ?? 0), ...newest];
      const window = referenceScores(Float32Array.from(padded.flatMap((v) => [v, v * v])));
      until.slice(from).forEach((crop, index, hopCrops) => {
        const row = WINDOW - hopCrops.length + index;
        scores.set(crop.frame, crop.quality.unreliable ? null : window[row * 12]!);
      });
    }
  return scores;
}

describe('InferStage', () => {
  it('equals a full recompute over random tracks, gaps, lost frames, hops, batches; embeds each crop once', async () => {
    const step = fc.record({
      trackId: fc.integer({ min: 1, max: 3 }),
      skip: fc.oneof({ weight: 12, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 40 })),
      shade: fc.integer({ min: 0, max: 255 }),
      unreliable: fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, fc.constant('too_turned' as const)),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 200 }),
        fc.constantFrom(1, 5, 16, 32),
        fc.constantFrom(1, 7, 64),
        async (steps, hop, max) => {
          const { stage, model, frames } = openStage({ hop, batch: { max, deadlineMs: 0 } });
          let frame = 0;
          const crops = steps.map((step) => {
            frame += step.skip;
            return faceCrop({ ...step, frame });
          });
          for (const crop of crops) await stage.push(frameOf([crop]));
          await stage.endEpoch('cam', 0);
          expect(frames.length).toBe(crops.length);
          expect(new Set(frames.map(({ eventId }) => eventId)).size).toBe(crops.length);
          expect(model.encoded).toBe(crops.filter((crop) => !crop.quality.unreliable).length);
          for (const trackId of [1, 2, 3]) {
            const trackCrops = crops.filter((crop) => crop.trackId === trackId);
            const expected = fullRecompute(trackCrops, hop);
            const events = frames.filter((event) => event.trackId === trackId);
            expect(events.map(({ frame }) => frame)).toEqual(trackCrops.map((crop) => crop.frame));
            for (const event of events) {
              const score = expected.get(event.frame)!;
              if (score === null) expect(event.aus.au01).toBeNull();
              else expect(Math.abs(event.aus.au01!.raw - score)).toBeLessThan(1e-6);
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('sets warmup until the window is full of real frames', async () => {
    const { stage, frames } = openStage({ hop: 16 });
    for (let frame = 0; frame < 64; frame += 1) await stage.push(frameOf([faceCrop({ frame })]));
    await stage.flush();
    expect(frames.map(({ warmup }) => warmup)).toEqual(Array.from({ length: 64 }, (_, i) => i < 16));
  });

  it('scores an ended track to its last frame, and starts a new window when its trackId recurs in a new epoch', async () => {
    const { stage, frames } = openStage({ hop: 16 });
    for (let frame = 0; frame < 5; frame += 1) await stage.push(frameOf([faceCrop({ frame })]));
    await stage.push(frameOf([faceCrop({ frame: 5, trackId: 2 })], [1]));
    await stage.flush();
    expect(frames.map(({ frame }) => frame)).toEqual([0, 1, 2, 3, 4]);
    await stage.endEpoch('cam', 0);
    expect(frames.map(({ eventId }) => eventId).at(-1)).toBe('cam/0/2/5');
    for (let frame = 0; frame < 16; frame += 1)
      await stage.push(frameOf([faceCrop({ frame, epoch: 1, trackId: 2 })]));
    await stage.flush();
    expect(frames.at(-1)).toMatchObject({ eventId: 'cam/1/2/15', warmup: true });
  });

  it('drops what a paused camera left unscored, counts it, and leaves other cameras alone', async () => {
    const { model, release } = blockedModel(16);
    const { stage, frames } = openStage({ batch: { max: 4, deadlineMs: 0 } }, model);
    const push = (cameraId: string, from: number, to: number) => {
      for (let frame = from; frame < to; frame += 1)
        void stage.push(frameOf([faceCrop({ frame, cameraId, live: true })]));
    };
    push('cam', 0, 40);
    push('other', 0, 32);
    const dropped = stage.discardEpoch('cam', 0);
    release();
    // The batch of the first crop was being processed; no hop of 16 frames was full.
    expect(await dropped).toBe(40);
    await stage.flush();
    expect(frames.filter(({ cameraId }) => cameraId === 'cam')).toEqual([]);
    expect(frames.filter(({ cameraId }) => cameraId === 'other')).toHaveLength(32);
    push('cam', 40, 56);
    await stage.flush();
    expect(
      frames.filter(({ cameraId }) => cameraId === 'cam').map(({ frame, warmup }) => [frame, warmup]),
    ).toEqual(Array.from({ length: 16 }, (_, i) => [40 + i, true]));
  });

  it('encodes crops of several cameras in one batch', async () => {
    const { stage, model } = openStage({ batch: { max: 8, deadlineMs: 10_000 } });
    for (let i = 0; i < 8; i += 1)
      await stage.push(frameOf([faceCrop({ frame: 0, cameraId: `cam${i}`, live: true })]));
    await stage.flush();
    expect(model.batches).toEqual([8]);
  });

  it('applies backpressure to files, and drops and counts the oldest crops of the busiest live camera', async () => {
    const { model, release } = blockedModel(1);
    const { stage, frames, dropped } = openStage(
      { hop: 1, maxWaiting: 8, batch: { max: 2, deadlineMs: 0 } },
      model,
    );
    for (let frame = 0; frame < 20; frame += 1) {
      void stage.push(frameOf([faceCrop({ frame, cameraId: 'busy', live: true })]));
      if (frame % 10 === 0) void stage.push(frameOf([faceCrop({ frame, cameraId: 'calm', live: true })]));
    }
    let queued = false;
    const file = stage.push(frameOf([faceCrop({ frame: 0, cameraId: 'file' })])).then(() => {
      queued = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(queued).toBe(false);
    release();
    await file;
    await stage.flush();
    expect(Object.keys(dropped)).toEqual(['busy']);
    const scored = (cameraId: string) =>
      frames.filter((event) => event.cameraId === cameraId).map(({ frame }) => frame);
    expect(scored('calm')).toEqual([0, 10]);
    expect(scored('busy').at(-1)).toBe(19);
    expect(scored('busy').length + dropped.busy!).toBe(20);
    expect(scored('file')).toEqual([0]);
  });

  it('never drops crops of files, which leave half of the queue to live cameras', async () => {
    const { model, release } = blockedModel(1);
    const { stage, frames, dropped } = openStage(
      { hop: 1, maxWaiting: 8, batch: { max: 2, deadlineMs: 0 } },
      model,
    );
    const play = async (cameraId: string) => {
      for (let frame = 0; frame < 20; frame += 1) await stage.push(frameOf([faceCrop({ frame, cameraId })]));
    };
    const files = Promise.all([play('clip'), play('film')]);
    await new Promise((resolve) => setImmediate(resolve));
    expect([stage.queuedCrops, stage.queuedLiveCrops]).toEqual([4, 0]);
    for (let frame = 0; frame < 10; frame += 1)
      void stage.push(frameOf([faceCrop({ frame, cameraId: 'live', live: true })]));
    expect([stage.queuedCrops, stage.queuedLiveCrops]).toEqual([8, 4]);
    release();
    await files;
    await stage.flush();
    expect(dropped).toEqual({ live: 6 });
    const scored = (cameraId: string) => frames.filter((event) => event.cameraId === cameraId).length;
    expect([scored('clip'), scored('film'), scored('live')]).toEqual([20, 20, 4]);
  });

  it('makes the same batches of a file whatever the speed of the model', async () => {
    const { model, release } = blockedModel(16);
    const { stage } = openStage({ batch: { max: 64, deadlineMs: 10_000 } }, model);
    const pushFrames = async (trackId: number, from: number, until: number) => {
      for (let frame = from; frame < until; frame += 1)
        await stage.push(frameOf([faceCrop({ frame, trackId })]));
    };
    await pushFrames(1, 0, 64);
    await stage.push({ ...frameOf([faceCrop({ frame: 64 })]), crops: [], endedTracks: [1] });
    await pushFrames(2, 65, 105);
    release();
    await new Promise((resolve) => setImmediate(resolve));
    await pushFrames(2, 105, 135);
    await stage.endEpoch('cam', 0);
    expect(model.batches).toEqual([64, 64, 6]);
  });

  it('rejects pending calls when the model fails', async () => {
    const broken = fakeModel(WINDOW, 16);
    broken.encode = () => Promise.reject(new Error('device lost'));
    const { stage } = openStage({}, broken);
    await stage.push(frameOf([faceCrop({ frame: 0 })]));
    await expect(stage.flush()).rejects.toThrow('device lost');
    await expect(stage.failed).rejects.toThrow('device lost');
  });

  it('fails with ENGINE_FAILED when the model stalls, not when it is slow', async () => {
    vi.useFakeTimers();
    try {
      const slow = fakeModel(WINDOW, 1);
      let encodeMs = 900;
      const { encode } = slow;
      slow.encode = async (crops, n) => {
        await new Promise((resolve) => setTimeout(resolve, encodeMs));
        return encode(crops, n);
      };
      const { stage, frames } = openStage({ hop: 1, batch: { max: 1, deadlineMs: 0 } }, slow);
      const stopStallWatch = stage.watchForStall(1_000);
      for (let frame = 0; frame < 5; frame += 1) await stage.push(frameOf([faceCrop({ frame })]));
      await vi.advanceTimersByTimeAsync(5_000);
      expect(frames.length).toBe(5);
      await vi.advanceTimersByTimeAsync(5_000);
      encodeMs = 60_000;
      const ended = stage.push(frameOf([faceCrop({ frame: 5 })])).then(() => stage.endEpoch('cam', 0));
      const failure = expect(ended).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
      await vi.advanceTimersByTimeAsync(2_000);
      await failure;
      stopStallWatch();
    } finally {
      vi.useRealTimers();
    }
  });
});
