import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaceDetector } from '../../src/detect/detector.ts';
import type { Box } from '../../src/domain/face.ts';
import type { I420Image } from '../../src/domain/frame.ts';
import { astronaut, grey, paste } from './pictures.ts';

const WHOLE = { width: 352, height: 224, toFrame: { a: 640 / 352, b: 0, tx: 0, ty: -23 } };
const background = grey(640, 360);
/** 218 pixels wide. */
const face = astronaut(45);
const at = (x: number) => paste(background, face, x, 60);
/** Where `at(100)` to `at(108)` differ. */
const around: Box = { x: 80, y: 30, w: 280, h: 280 };

let detector: FaceDetector;
beforeAll(() => {
  detector = new FaceDetector();
});
afterAll(() => detector.close());

/** Looks at pictures as one region; says how often the network ran for each, and how many faces were told. */
async function look(images: readonly I420Image[], followed: readonly Box[] = []) {
  const region = { ...WHOLE };
  const looks: { runs: number; faces: number }[] = [];
  for (const image of images) {
    const before = detector.runs;
    const faces = (await detector.detect(image, [region], 0.6, followed)).length;
    looks.push({ runs: detector.runs - before, faces });
  }
  return looks;
}

test('what stays the same is not searched again', async () => {
  expect(await look([at(100), at(100), background, background])).toEqual([
    { runs: 1, faces: 1 },
    { runs: 0, faces: 1 },
    { runs: 1, faces: 0 },
    { runs: 0, faces: 0 },
  ]);
});

test('a change as small as the smallest face is one, wherever it is', async () => {
  const small = astronaut(32);
  for (const [x, y] of [
    [0, 0],
    [250, 130],
    [480, 210],
  ] as const) {
    const looks = await look([background, paste(background, small, x, y)]);
    expect(looks[1]!.runs).toBe(1);
  }
});

test('a followed face that moves is no reason to search, and no news; another face is both', async () => {
  const looks = await look([at(100), at(104), paste(at(108), face, 400, 60)], [around]);
  expect(looks).toEqual([
    { runs: 1, faces: 1 },
    { runs: 0, faces: 0 },
    { runs: 1, faces: 2 },
  ]);
});

test('beside a face that never rests there is a search now and then', async () => {
  const moving = Array.from({ length: 20 }, (_, i) => at(100 + 2 * (i % 4)));
  const looks = await look(moving, [around]);
  const runs = looks.reduce((sum, one) => sum + one.runs, 0);
  expect(looks[0]!.runs).toBe(1);
  expect(runs).toBe(2);
});
