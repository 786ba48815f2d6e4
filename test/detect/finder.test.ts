import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cropSquare, CROP_TEMPLATE } from '../../src/detect/alignment.ts';
import { FaceFinder } from '../../src/detect/finder.ts';
import { boxCentre, iou, squareToFrame } from '../../src/detect/geometry.ts';
import { detectOptions } from '../../src/detect/options.ts';
import { Sampler } from '../../src/detect/sampler.ts';
import type { FrameFaces } from '../../src/domain/face.ts';
import type { Frame, I420Image } from '../../src/domain/frame.ts';
import {
  ASTRONAUT,
  ASTRONAUT_FACE,
  astronaut,
  CAT,
  COCKATOO,
  DEMO,
  decode,
  frame,
  grey,
  paste,
  turned,
} from './pictures.ts';

let finder: FaceFinder;
beforeAll(async () => {
  finder = await FaceFinder.open(detectOptions.parse({}));
});
afterAll(() => finder.close());

/** Analyses frames as a new epoch. */
async function analyse(frames: readonly Frame[]): Promise<FrameFaces[]> {
  finder.end();
  const results: FrameFaces[] = [];
  for (const one of frames) results.push(await finder.analyse(one));
  return results;
}

const images = (pictures: readonly I420Image[]) => pictures.map((image, i) => frame(image, i));
const ids = (result: FrameFaces) => result.crops.map((crop) => crop.trackId);

describe('a still picture', () => {
  test('gives its face at once, aligned as the training aligns it', async () => {
    const [image] = decode(ASTRONAUT, 512, 512);
    const [result] = await analyse(images([image!]));
    expect(ids(result!)).toEqual([1]);
    const { box, quality, pixels } = result!.crops[0]!;
    expect(iou(box, ASTRONAUT_FACE.box)).toBeGreaterThan(0.85);
    expect(quality.unreliable).toBeNull();
    expect(quality.sharpness).toBeGreaterThan(0.5);
    expect(Math.abs(quality.yaw)).toBeLessThan(20);
    expect(quality.roll).toBeGreaterThan(0);

    const ears = { rightEar: { x: 0, y: 0 }, leftEar: { x: 0, y: 0 } };
    const theirs = cropSquare({ ...ASTRONAUT_FACE, ...ears }, CROP_TEMPLATE);
    const expected = new Uint8Array(pixels.length);
    const difference = (shift: number) => {
      const moved = { ...theirs, centre: { x: theirs.centre.x + shift, y: theirs.centre.y } };
      new Sampler(true).sample(image!, squareToFrame(112, moved), 112, 112, expected);
      return pixels.reduce((sum, value, i) => sum + Math.abs(value - expected[i]!), 0) / pixels.length;
    };
    // Nearer to the landmark model's crop than that crop is to itself moved by two pixels of 112.
    const twoPixels = (2 * theirs.side) / 112;
    const here = difference(0);
    expect(here).toBeLessThan(difference(twoPixels));
    expect(here).toBeLessThan(difference(-twoPixels));
    expect(here).toBeLessThan(7);
  });

  test.each([-0.5, 0.5])('turned by %f rad is found and set upright', async (angle) => {
    const [image] = decode(ASTRONAUT, 512, 512);
    const [upright] = await analyse(images([image!]));
    const [result] = await analyse(images([turned(image!, angle)]));
    const degrees = (angle * 180) / Math.PI;
    expect(Math.abs(result!.crops[0]!.quality.roll - upright!.crops[0]!.quality.roll - degrees)).toBeLessThan(
      4,
    );
    const [a, b] = [upright!.crops[0]!.pixels, result!.crops[0]!.pixels];
    // The corners show what lies beyond the turned picture.
    const middle = a.filter((_, i) => Math.abs((Math.floor(i / 3) % 112) - 56) < 36);
    const same = b.filter((_, i) => Math.abs((Math.floor(i / 3) % 112) - 56) < 36);
    const difference = middle.reduce((sum, value, i) => sum + Math.abs(value - same[i]!), 0) / middle.length;
    expect(difference).toBeLessThan(12);
  });

  test.each([0, 1, 2])('without a face gives none (%i)', async (which) => {
    const noise = grey(640, 360);
    let state = 1;
    for (let i = 0; i < noise.y.length; i++) {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      noise.y[i] = state >> 23;
    }
    const [picture] = [decode(CAT, 448, 298), [noise], [grey(640, 360)]][which]!;
    const results = await analyse(images(Array.from({ length: 4 }, () => picture!)));
    expect(results.flatMap(ids)).toEqual([]);
  });
});

test('a clip of a bird gives no face', async () => {
  const results = await analyse(images(decode(COCKATOO, 640, 360, 60)));
  expect(results.length).toBeGreaterThan(50);
  expect(results.flatMap(ids)).toEqual([]);
});

test('a clip of one face gives one track, whose crop is in every frame', async () => {
  const results = await analyse(images(decode(DEMO, 640, 360, 75)));
  expect(results.length).toBeGreaterThanOrEqual(75);
  for (const result of results) expect(ids(result)).toEqual([1]);
  for (const { crops } of results) expect(crops[0]!.quality.unreliable).toBeNull();
});

describe('in a wide frame', () => {
  const street = () => decode(CAT, 1280, 720)[0]!;

  test('faces 32 pixels high are found in the first frame and kept', async () => {
    const small = astronaut(32);
    const scene = paste(paste(street(), small, 902, 530), small, 210, 96);
    const results = await analyse(images(Array.from({ length: 6 }, () => scene)));
    for (const result of results) expect(ids(result)).toEqual([1, 2]);
    for (const { box } of results.at(-1)!.crops) expect(Math.abs(box.h - 32)).toBeLessThan(4);
  });

  test('two faces that move are two tracks, each its own throughout', async () => {
    const face = astronaut(70);
    const still = street();
    const scenes = Array.from({ length: 20 }, (_, i) =>
      paste(paste(still, face, 100 + 12 * i, 60), face, 800 - 10 * i, 300),
    );
    const results = await analyse(images(scenes));
    for (const result of results) expect(ids(result)).toEqual([1, 2]);
    const left = new Set(results.map(({ crops }) => crops.find(({ box }) => box.y < 250)!.trackId));
    expect(left.size).toBe(1);
  });
});

describe('tracking', () => {
  const face = astronaut(90);
  const background = decode(CAT, 640, 360)[0]!;
  const at = (x: number, y = 40) => paste(background, face, x, y);

  test('a face hidden for a moment keeps its id, and shows nothing meanwhile', async () => {
    const hidden = paste(at(120), grey(240, 200), 160, 60);
    const scenes = [...Array(10).fill(at(120)), ...Array(10).fill(hidden), ...Array(8).fill(at(120))];
    const results = await analyse(images(scenes));
    expect(results.slice(0, 10).map(ids)).toEqual(Array(10).fill([1]));
    expect(results.slice(10, 20).flatMap(ids)).toEqual([]);
    expect(results.slice(21).map(ids)).toEqual(Array(7).fill([1]));
    expect(results.flatMap(({ endedTracks }) => endedTracks)).toEqual([]);
  });

  test('a face that leaves is over after lostSeconds, and is a new track when it returns', async () => {
    const scenes = [...Array(5).fill(at(120)), ...Array(40).fill(background), ...Array(30).fill(at(200))];
    const results = await analyse(images(scenes));
    expect(results.findIndex(({ endedTracks }) => endedTracks.includes(1))).toBe(4 + 26);
    expect(results.slice(5, 45).flatMap(ids)).toEqual([]);
    for (const result of results) expect(result.crops.length).toBeLessThanOrEqual(1);
    const back = results.slice(45).map(ids);
    expect(back.flat().every((id) => id === 2)).toBe(true);
    // The overview is looked at every quarter of a second, and what it finds is confirmed.
    expect(back.slice(8).every((list) => list.length === 1)).toBe(true);
  });

  test('a face that walks out of the frame ends', async () => {
    const scenes = Array.from({ length: 60 }, (_, i) => at(300 + 2 * Math.min(260, 10 * i)));
    const results = await analyse(images(scenes));
    expect(ids(results[0]!)).toEqual([1]);
    expect(ids(results.at(-1)!)).toEqual([]);
    expect(results.flatMap(({ endedTracks }) => endedTracks)).toEqual([1]);
  });

  test('a moving face is followed without lag', async () => {
    const results = await analyse(images(Array.from({ length: 20 }, (_, i) => at(20 + 6 * i))));
    const offsets = results.map(({ crops }, i) => boxCentre(crops[0]!.box).x - 6 * i);
    const mean = offsets.reduce((a, b) => a + b) / offsets.length;
    for (const offset of offsets) expect(Math.abs(offset - mean)).toBeLessThan(1.5);
  });

  test('a resting face does not shake in a noisy picture', async () => {
    let state = 7;
    const noisy = (image: I420Image) => ({
      ...image,
      y: image.y.map((luma) => {
        state = (state * 1103515245 + 12345) % 2 ** 31;
        return Math.max(16, Math.min(235, luma + ((state >> 16) % 25) - 12));
      }),
    });
    const results = await analyse(images(Array.from({ length: 25 }, () => noisy(at(120)))));
    const settled = results.slice(8).map(({ crops }) => boxCentre(crops[0]!.box));
    for (let i = 1; i < settled.length; i++)
      expect(Math.hypot(settled[i]!.x - settled[i - 1]!.x, settled[i]!.y - settled[i - 1]!.y)).toBeLessThan(
        0.6,
      );
  });
});

describe('frames that are not as usual', () => {
  const face = decode(ASTRONAUT, 512, 512)[0]!;

  test('a damaged frame shows known faces as unreliable, and never a new one', async () => {
    const [first, second] = await analyse([frame(grey(512, 512), 0), frame(face, 1, { corrupt: true })]);
    expect([...ids(first!), ...ids(second!)]).toEqual([]);
    const [, damaged, whole] = await analyse([
      frame(face, 0),
      frame(face, 1, { corrupt: true }),
      frame(face, 2),
    ]);
    expect(damaged!.crops[0]!.quality.unreliable).toBe('corrupt_video');
    expect(whole!.crops[0]!.quality.unreliable).toBeNull();
  });

  test('another size of picture ends what was followed, and searches anew', async () => {
    const [, after] = await analyse(images([face, decode(ASTRONAUT, 256, 256)[0]!]));
    expect(after!.endedTracks).toEqual([1]);
    expect(ids(after!)).toEqual([2]);
  });

  test('a hole in time longer than lostSeconds ends what was followed', async () => {
    const [, after] = await analyse([frame(face, 0), frame(face, 1, { captureTime: 1_040_001 })]);
    expect(after!.endedTracks).toEqual([1]);
    expect(ids(after!)).toEqual([2]);
  });

  test('frames a second apart, as the config may want, are followed; a face may be missed in one', async () => {
    const slow = (image: I420Image, index: number) =>
      frame(image, index, { captureTime: index * 1_010_000, interval: 1_000_000 });
    const blank = grey(512, 512);
    const results = await analyse([face, face, blank, face].map(slow));
    expect(results.flatMap(({ endedTracks }) => endedTracks)).toEqual([]);
    expect(results.map(ids)).toEqual([[1], [1], [], [1]]);
  });

  test('end() ends what was followed; ids begin again', async () => {
    await analyse([frame(face, 0)]);
    expect(finder.end()).toEqual([1]);
    expect(finder.end()).toEqual([]);
    expect(ids((await analyse([frame(face, 0)]))[0]!)).toEqual([1]);
  });
});
