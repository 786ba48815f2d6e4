import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { FaceDetector } from '../../src/detect/detector.ts';
import type { Box } from '../../src/domain/face.ts';
import type { I420Image } from '../../src/domain/frame.ts';
import { OnnxSession } from '../../src/infer/engine/onnx/session.ts';
import { astronaut, grey, paste } from './pictures.ts';

const WHOLE_FRAME = { width: 352, height: 224, toFrame: { a: 640 / 352, b: 0, tx: 0, ty: -23 } };
const background = grey(640, 360);
/** 218 pixels wide. */
const face = astronaut(45);
const faceAt = (x: number) => paste(background, face, x, 60);
/** Contains everything that differs between `faceAt(100)` and `faceAt(108)`. */
const head: Box = { x: 80, y: 30, w: 280, h: 280 };

let detector: FaceDetector;
beforeAll(() => {
  detector = new FaceDetector();
});
afterEach(() => vi.restoreAllMocks());

/** Scans one region in each image; returns the number of network runs and of detected faces per image. */
async function scan(images: readonly I420Image[], trackedHeads: readonly Box[] = []) {
  const region = { ...WHOLE_FRAME };
  const run = vi.spyOn(OnnxSession.prototype, 'run');
  const scans: { runs: number; faces: number }[] = [];
  for (const image of images) {
    run.mockClear();
    const faces = (await detector.detect(image, [region], 0.6, trackedHeads)).length;
    scans.push({ runs: run.mock.calls.length, faces });
  }
  return scans;
}

test('an unchanged region is not scanned again', async () => {
  expect(await scan([faceAt(100), faceAt(100), background, background])).toEqual([
    { runs: 1, faces: 1 },
    { runs: 0, faces: 1 },
    { runs: 1, faces: 0 },
    { runs: 0, faces: 0 },
  ]);
});

test('a change of the size of the smallest face triggers a scan, anywhere in the region', async () => {
  const small = astronaut(32);
  for (const [x, y] of [
    [0, 0],
    [250, 130],
    [480, 210],
  ] as const) {
    const scans = await scan([background, paste(background, small, x, y)]);
    expect(scans[1]!.runs).toBe(1);
  }
});

test('a moving tracked face triggers no scan and is not returned; a second face does and is', async () => {
  const scans = await scan([faceAt(100), faceAt(104), paste(faceAt(108), face, 400, 60)], [head]);
  expect(scans).toEqual([
    { runs: 1, faces: 1 },
    { runs: 0, faces: 0 },
    { runs: 1, faces: 2 },
  ]);
});

test('a region with a tracked face that always moves is scanned after every twelve skipped scans', async () => {
  const moving = Array.from({ length: 20 }, (_, i) => faceAt(100 + 2 * (i % 4)));
  const scans = await scan(moving, [head]);
  const runs = scans.reduce((sum, scan) => sum + scan.runs, 0);
  expect(scans[0]!.runs).toBe(1);
  expect(runs).toBe(2);
});
