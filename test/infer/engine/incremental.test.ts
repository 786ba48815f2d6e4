import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuFrame } from '../../../src/domain/event.ts';
import { CROP_BYTES, type FaceCrop } from '../../../src/domain/face.ts';
import { AU_COUNT, AU_NAMES } from '../../../src/domain/scores.ts';
import { type AuModel, openModel } from '../../../src/infer/engine/index.ts';
import { inferOptions } from '../../../src/infer/options.ts';
import { InferStage } from '../../../src/infer/stage.ts';
import { faceCrop, frameOf } from '../faces.ts';
import { modelFolder } from '../weights/model-folder.ts';
import { goldenCrops } from './golden.ts';

let scratch: string;
let folder: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'austream-incremental-'));
  vi.stubEnv('XDG_CACHE_HOME', scratch);
  folder = modelFolder();
});
afterAll(() => {
  vi.unstubAllEnvs();
  for (const path of [scratch, folder]) rmSync(path, { recursive: true, force: true });
});

/** Scores of a window's newest frames with every crop embedded again and the whole window scored. */
async function fullRecompute(
  model: AuModel,
  window: readonly FaceCrop[],
  newest: number,
): Promise<Float32Array> {
  const newestCrops = window.slice(-256);
  const pixels = new Uint8Array(newestCrops.length * CROP_BYTES);
  for (const [i, crop] of newestCrops.entries()) pixels.set(crop.pixels, i * CROP_BYTES);
  const embeddings = await model.encode(pixels, newestCrops.length);
  const d = model.embeddingSize;
  const padded = new Float32Array(256 * d);
  for (let row = 0; row < 256; row++) {
    const from = Math.max(0, row - 256 + newestCrops.length) * d;
    padded.set(embeddings.subarray(from, from + d), row * d);
  }
  return (await model.score(padded, 1)).slice(-newest * AU_COUNT);
}

describe('incremental inference', () => {
  const noise = goldenCrops('incremental', 330);
  it.each([
    [1, 10, []],
    [7, 70, [30, 31]],
    [16, 330, [310]],
    [256, 300, []],
  ])('at hop %i equals a full recompute over %i crops, with gaps at %j', async (hop, count, gaps) => {
    const options = inferOptions.parse({ model: folder, hop, threads: 2, smoothing: { mode: 'off' } });
    const model = await openModel(options);
    const events: AuFrame[] = [];
    const stage = new InferStage(model, options, {
      frames: (frames) => void events.push(...frames),
      activations: () => {},
      dropped: () => {},
    });
    const segments: FaceCrop[][] = [[]];
    let at = 0;
    for (let frame = 0; frame < count; frame++) {
      const gap = (gaps as readonly number[]).includes(frame);
      at += gap ? 1_500_000 : 40_000;
      if (gap) segments.push([]);
      const pixels = noise.subarray(frame * CROP_BYTES, (frame + 1) * CROP_BYTES);
      const crop = { ...faceCrop({ frame, at }), pixels };
      segments.at(-1)!.push(crop);
      await stage.push(frameOf([crop]));
    }
    await stage.endEpoch('cam', 0);
    expect(events.map((event) => event.frame)).toEqual(Array.from({ length: count }, (_, frame) => frame));

    let frame = 0;
    for (const segment of segments)
      for (let from = 0; from < segment.length; from += hop) {
        const until = segment.slice(0, from + hop);
        const scores = await fullRecompute(model, until, until.length - from);
        for (let row = 0; row < until.length - from; row++, frame++)
          AU_NAMES.forEach((name, au) => {
            const error = Math.abs(events[frame]!.aus[name]!.raw - scores[row * AU_COUNT + au]!);
            expect(error, `${name} of frame ${frame}`).toBeLessThan(1e-5);
          });
      }
    await model.close();
  });
});
