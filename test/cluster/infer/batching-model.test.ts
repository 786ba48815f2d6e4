import { describe, expect, it, vi } from 'vitest';
import { BatchingModel } from '../../../src/cluster/infer/batching-model.ts';
import { CROP_BYTES } from '../../../src/domain/face.ts';
import { fakeModel } from '../../infer/fake-model.ts';

const crop = (shade: number, n = 1) => new Uint8Array(n * CROP_BYTES).fill(shade);

describe('SharedModel', () => {
  it('runs together what is asked while the device is busy, no more than a batch, and gives each its own', async () => {
    const model = fakeModel(12, 4);
    const shared = new BatchingModel(model, 4);
    const shades = [10, 20, 30, 40, 50, 60];
    const asked = [shared.encode(crop(shades[0]!), 1)];
    for (const shade of shades.slice(1)) asked.push(shared.encode(crop(shade, 2), 2));
    const rows = await Promise.all(asked);
    expect(model.batches).toEqual([1, 4, 4, 2]);
    rows.forEach((row, index) => {
      expect(row.length).toBe(index === 0 ? 2 : 4);
      for (let at = 0; at < row.length; at += 2) expect(row[at]).toBeCloseTo(shades[index]! / 255, 6);
    });
    const windows = [0.1, 0.9].map((value) => new Float32Array(24).fill(value));
    const alone = await Promise.all(windows.map((window) => model.scoreNewest(window, 1)));
    const together = await Promise.all([
      shared.scoreNewest(windows[0]!, 1),
      shared.scoreNewest(windows[1]!, 1),
      shared.scoreNewest(windows[0]!, 1),
    ]);
    expect(together).toEqual([alone[0], alone[1], alone[0]]);
  });

  it('runs a call that is larger than a batch by itself', async () => {
    const model = fakeModel(12, 4);
    const shared = new BatchingModel(model, 4);
    await Promise.all([shared.encode(crop(1), 1), shared.encode(crop(2, 9), 9), shared.encode(crop(3), 1)]);
    expect(model.batches).toEqual([1, 9, 1]);
  });

  it('says that the engine failed, and on which device', async () => {
    const model = fakeModel(12, 4);
    model.encode = () => Promise.reject(new Error('CUDA error 999'));
    const shared = new BatchingModel(model, 4);
    const failure = { code: 'ENGINE_FAILED', message: 'the model failed on onnx/cpu: CUDA error 999' };
    await expect(shared.encode(crop(1), 1)).rejects.toMatchObject(failure);
    await expect(shared.probe()).rejects.toMatchObject(failure);
    await expect(shared.warmUp()).rejects.toMatchObject(failure);
  });

  it('takes a device that does not answer for dead', async () => {
    const model = fakeModel(12, 4);
    const shared = new BatchingModel(model, 4);
    await shared.probe();
    model.encode = () => new Promise(() => {});
    vi.useFakeTimers();
    const alive = expect(shared.probe()).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
    await vi.advanceTimersByTimeAsync(10_000);
    vi.useRealTimers();
    await alive;
  });
});
