import { describe, expect, it, vi } from 'vitest';
import { BatchingModel } from '../../../src/cluster/infer/batching-model.ts';
import { CROP_BYTES } from '../../../src/domain/face.ts';
import { fakeModel } from '../../infer/fake-model.ts';

const crop = (shade: number, n = 1) => new Uint8Array(n * CROP_BYTES).fill(shade);

describe('BatchingModel', () => {
  it('batches calls that arrive while the device is busy, and gives each call its own rows', async () => {
    const model = fakeModel(12, 4);
    const batching = new BatchingModel(model, 4);
    const shades = [10, 20, 30, 40, 50, 60];
    const calls = [batching.encode(crop(shades[0]!), 1)];
    for (const shade of shades.slice(1)) calls.push(batching.encode(crop(shade, 2), 2));
    const rows = await Promise.all(calls);
    expect(model.batches).toEqual([1, 4, 4, 2]);
    rows.forEach((row, index) => {
      expect(row.length).toBe(index === 0 ? 2 : 4);
      for (let column = 0; column < row.length; column += 2)
        expect(row[column]).toBeCloseTo(shades[index]! / 255, 6);
    });
    const windows = [0.1, 0.9].map((value) => new Float32Array(24).fill(value));
    const unbatched = await Promise.all(windows.map((window) => model.scoreNewest(window, 1)));
    const batched = await Promise.all([
      batching.scoreNewest(windows[0]!, 1),
      batching.scoreNewest(windows[1]!, 1),
      batching.scoreNewest(windows[0]!, 1),
    ]);
    expect(batched).toEqual([unbatched[0], unbatched[1], unbatched[0]]);
  });

  it('runs a call that is larger than a batch by itself', async () => {
    const model = fakeModel(12, 4);
    const batching = new BatchingModel(model, 4);
    await Promise.all([
      batching.encode(crop(1), 1),
      batching.encode(crop(2, 9), 9),
      batching.encode(crop(3), 1),
    ]);
    expect(model.batches).toEqual([1, 9, 1]);
  });

  it('rejects with ENGINE_FAILED, which names the device', async () => {
    const model = fakeModel(12, 4);
    model.encode = () => Promise.reject(new Error('CUDA error 999'));
    const batching = new BatchingModel(model, 4);
    const failure = { code: 'ENGINE_FAILED', message: 'the model failed on onnx/cpu: CUDA error 999' };
    await expect(batching.encode(crop(1), 1)).rejects.toMatchObject(failure);
    await expect(batching.probe()).rejects.toMatchObject(failure);
    await expect(batching.warmUp()).rejects.toMatchObject(failure);
  });

  it('fails the probe if the device does not answer', async () => {
    const model = fakeModel(12, 4);
    const batching = new BatchingModel(model, 4);
    await batching.probe();
    model.encode = () => new Promise(() => {});
    vi.useFakeTimers();
    const failed = expect(batching.probe()).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
    await vi.advanceTimersByTimeAsync(10_000);
    vi.useRealTimers();
    await failed;
  });
});
