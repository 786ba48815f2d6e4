import { beforeAll, describe, expect, test } from 'vitest';
import type { CameraAreas } from '../../src/camera/areas.ts';
import { CROP_TEMPLATE, cropSquare } from '../../src/detect/alignment.ts';
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
  rotate,
} from './pictures.ts';

let finder: FaceFinder;
beforeAll(async () => {
  finder = await FaceFinder.open(detectOptions.parse({}));
});

/** Processes frames as a new epoch. */
async function analyse(frames: readonly Frame[]): Promise<FrameFaces[]> {
  finder.end();
  const results: FrameFaces[] = [];
  for (const next of frames) results.push(await finder.analyse(next));
  return results;
}

const framesOf = (images: readonly I420Image[]) => images.map((image, i) => frame(image, i));
const trackIds = (result: FrameFaces) => result.crops.map((crop) => crop.trackId);

describe('a still image', () => {
  test('yields its face in the first frame, aligned as in training', async () => {
    const [image] = decode(ASTRONAUT, 512, 512);
    const [result] = await analyse(framesOf([image!]));
    expect(trackIds(result!)).toEqual([1]);
    const { box, quality, pixels } = result!.crops[0]!;
    expect(iou(box, ASTRONAUT_FACE.box)).toBeGreaterThan(0.85);
    expect(quality.unreliable).toBeNull();
    expect(quality.sharpness).toBeGreaterThan(0.5);
    expect(Math.abs(quality.yaw)).toBeLessThan(20);
    expect(quality.roll).toBeGreaterThan(0);

    const ears = { rightEar: { x: 0, y: 0 }, leftEar: { x: 0, y: 0 } };
    const reference = cropSquare({ ...ASTRONAUT_FACE, ...ears }, CROP_TEMPLATE);
    const expected = new Uint8Array(pixels.length);
    const difference = (shift: number) => {
      const shifted = { ...reference, centre: { x: reference.centre.x + shift, y: reference.centre.y } };
      new Sampler(true).sample(image!, squareToFrame(112, shifted), 112, 112, expected);
      return pixels.reduce((sum, value, i) => sum + Math.abs(value - expected[i]!), 0) / pixels.length;
    };
    // The crop differs less from the landmark model's crop than from that crop shifted by two crop pixels.
    const twoPixels = (2 * reference.side) / 112;
    const aligned = difference(0);
    expect(aligned).toBeLessThan(difference(twoPixels));
    expect(aligned).toBeLessThan(difference(-twoPixels));
    expect(aligned).toBeLessThan(7);
  });

  test.each([-0.5, 0.5])('rotated by %f rad is detected, and its crop is upright', async (angle) => {
    const [image] = decode(ASTRONAUT, 512, 512);
    const [upright] = await analyse(framesOf([image!]));
    const [result] = await analyse(framesOf([rotate(image!, angle)]));
    const degrees = (angle * 180) / Math.PI;
    expect(Math.abs(result!.crops[0]!.quality.roll - upright!.crops[0]!.quality.roll - degrees)).toBeLessThan(
      4,
    );
    const [a, b] = [upright!.crops[0]!.pixels, result!.crops[0]!.pixels];
    // Central columns only: the corners show pixels from outside the rotated picture.
    const middle = a.filter((_, i) => Math.abs((Math.floor(i / 3) % 112) - 56) < 36);
    const same = b.filter((_, i) => Math.abs((Math.floor(i / 3) % 112) - 56) < 36);
    const difference = middle.reduce((sum, value, i) => sum + Math.abs(value - same[i]!), 0) / middle.length;
    expect(difference).toBeLessThan(12);
  });

  test.each(['cat', 'noise', 'grey'] as const)('without a face yields no crop: %s', async (name) => {
    const noise = grey(640, 360);
    let state = 1;
    for (let i = 0; i < noise.y.length; i++) {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      noise.y[i] = state >> 23;
    }
    const [picture] = { cat: decode(CAT, 448, 298), noise: [noise], grey: [grey(640, 360)] }[name];
    const results = await analyse(framesOf(Array.from({ length: 4 }, () => picture!)));
    expect(results.flatMap(trackIds)).toEqual([]);
  });
});

test('a clip of a bird yields no face', async () => {
  const results = await analyse(framesOf(decode(COCKATOO, 640, 360, 60)));
  expect(results.length).toBeGreaterThan(50);
  expect(results.flatMap(trackIds)).toEqual([]);
});

test('a clip of one face yields one track with a crop in every frame', async () => {
  const results = await analyse(framesOf(decode(DEMO, 640, 360, 75)));
  expect(results.length).toBeGreaterThanOrEqual(75);
  for (const result of results) expect(trackIds(result)).toEqual([1]);
  for (const { crops } of results) expect(crops[0]!.quality.unreliable).toBeNull();
});

describe('in a wide frame', () => {
  const street = () => decode(CAT, 1280, 720)[0]!;

  test('faces 32 pixels high are detected in the first frame and tracked', async () => {
    const small = astronaut(32);
    const scene = paste(paste(street(), small, 902, 530), small, 210, 96);
    const results = await analyse(framesOf(Array.from({ length: 6 }, () => scene)));
    for (const result of results) expect(trackIds(result)).toEqual([1, 2]);
    for (const { box } of results.at(-1)!.crops) expect(Math.abs(box.h - 32)).toBeLessThan(4);
  });

  test('two moving faces keep their two tracks', async () => {
    const face = astronaut(70);
    const still = street();
    const scenes = Array.from({ length: 20 }, (_, i) =>
      paste(paste(still, face, 100 + 12 * i, 60), face, 800 - 10 * i, 300),
    );
    const results = await analyse(framesOf(scenes));
    for (const result of results) expect(trackIds(result)).toEqual([1, 2]);
    const left = new Set(results.map(({ crops }) => crops.find(({ box }) => box.y < 250)!.trackId));
    expect(left.size).toBe(1);
  });
});

describe('tracking', () => {
  const face = astronaut(90);
  const background = decode(CAT, 640, 360)[0]!;
  const faceAt = (x: number, y = 40) => paste(background, face, x, y);

  test('a face hidden for a moment yields no crops meanwhile and keeps its track id', async () => {
    const hidden = paste(faceAt(120), grey(240, 200), 160, 60);
    const scenes = [...Array(10).fill(faceAt(120)), ...Array(10).fill(hidden), ...Array(8).fill(faceAt(120))];
    const results = await analyse(framesOf(scenes));
    expect(results.slice(0, 10).map(trackIds)).toEqual(Array(10).fill([1]));
    expect(results.slice(10, 20).flatMap(trackIds)).toEqual([]);
    expect(results.slice(21).map(trackIds)).toEqual(Array(7).fill([1]));
    expect(results.flatMap(({ endedTracks }) => endedTracks)).toEqual([]);
  });

  test('the track of a face that leaves ends after lostSeconds; a face that returns starts a new track', async () => {
    const scenes = [
      ...Array(5).fill(faceAt(120)),
      ...Array(40).fill(background),
      ...Array(30).fill(faceAt(200)),
    ];
    const results = await analyse(framesOf(scenes));
    expect(results.findIndex(({ endedTracks }) => endedTracks.includes(1))).toBe(4 + 26);
    expect(results.slice(5, 45).flatMap(trackIds)).toEqual([]);
    for (const result of results) expect(result.crops.length).toBeLessThanOrEqual(1);
    const returned = results.slice(45).map(trackIds);
    expect(returned.flat().every((id) => id === 2)).toBe(true);
    // The overview is scanned every quarter of a second; a second detection confirms the track.
    expect(returned.slice(8).every((list) => list.length === 1)).toBe(true);
  });

  test('the track of a face that leaves the frame ends', async () => {
    const scenes = Array.from({ length: 60 }, (_, i) => faceAt(300 + 2 * Math.min(260, 10 * i)));
    const results = await analyse(framesOf(scenes));
    expect(trackIds(results[0]!)).toEqual([1]);
    expect(trackIds(results.at(-1)!)).toEqual([]);
    expect(results.flatMap(({ endedTracks }) => endedTracks)).toEqual([1]);
  });

  test('a moving face is tracked without lag', async () => {
    const results = await analyse(framesOf(Array.from({ length: 20 }, (_, i) => faceAt(20 + 6 * i))));
    const offsets = results.map(({ crops }, i) => boxCentre(crops[0]!.box).x - 6 * i);
    const mean = offsets.reduce((a, b) => a + b) / offsets.length;
    for (const offset of offsets) expect(Math.abs(offset - mean)).toBeLessThan(1.5);
  });

  test('the box of a resting face does not jitter in noisy video', async () => {
    let state = 7;
    const noisy = (image: I420Image) => ({
      ...image,
      y: image.y.map((luma) => {
        state = (state * 1103515245 + 12345) % 2 ** 31;
        return Math.max(16, Math.min(235, luma + ((state >> 16) % 25) - 12));
      }),
    });
    const results = await analyse(framesOf(Array.from({ length: 25 }, () => noisy(faceAt(120)))));
    const settled = results.slice(8).map(({ crops }) => boxCentre(crops[0]!.box));
    for (let i = 1; i < settled.length; i++)
      expect(Math.hypot(settled[i]!.x - settled[i - 1]!.x, settled[i]!.y - settled[i - 1]!.y)).toBeLessThan(
        0.6,
      );
  });
});

describe('irregular frames', () => {
  const face = decode(ASTRONAUT, 512, 512)[0]!;

  test('a corrupt frame marks tracked faces as unreliable and starts no track', async () => {
    const [first, second] = await analyse([frame(grey(512, 512), 0), frame(face, 1, { corrupt: true })]);
    expect([...trackIds(first!), ...trackIds(second!)]).toEqual([]);
    const [, corrupt, intact] = await analyse([
      frame(face, 0),
      frame(face, 1, { corrupt: true }),
      frame(face, 2),
    ]);
    expect(corrupt!.crops[0]!.quality.unreliable).toBe('corrupt_video');
    expect(intact!.crops[0]!.quality.unreliable).toBeNull();
  });

  test('a change of frame size ends all tracks and scans the whole frame', async () => {
    const [, after] = await analyse(framesOf([face, decode(ASTRONAUT, 256, 256)[0]!]));
    expect(after!.endedTracks).toEqual([1]);
    expect(trackIds(after!)).toEqual([2]);
  });

  test('a gap longer than lostSeconds ends all tracks', async () => {
    const [, after] = await analyse([frame(face, 0), frame(face, 1, { captureTime: 1_040_001 })]);
    expect(after!.endedTracks).toEqual([1]);
    expect(trackIds(after!)).toEqual([2]);
  });

  test('faces are tracked at one frame per second, and may be missing in one frame', async () => {
    const slow = (image: I420Image, index: number) =>
      frame(image, index, { captureTime: index * 1_010_000, interval: 1_000_000 });
    const blank = grey(512, 512);
    const results = await analyse([face, face, blank, face].map(slow));
    expect(results.flatMap(({ endedTracks }) => endedTracks)).toEqual([]);
    expect(results.map(trackIds)).toEqual([[1], [1], [], [1]]);
  });

  test('end() ends all tracks; ids restart at 1', async () => {
    await analyse([frame(face, 0)]);
    expect(finder.end()).toEqual([1]);
    expect(finder.end()).toEqual([]);
    expect(trackIds((await analyse([frame(face, 0)]))[0]!)).toEqual([1]);
  });
});

describe('masks and zones', () => {
  const face = astronaut(90);
  const background = grey(640, 360);
  /** The face's centre is about 215 pixels right of and 110 below the pasted picture's corner. */
  const faceAt = (x: number) => paste(background, face, x, 40);
  const rectangle = (left: number, right: number) =>
    [
      [left, 0],
      [right, 0],
      [right, 1],
      [left, 1],
    ] as const;
  const withAreas = async (areas: Partial<CameraAreas>, images: readonly I420Image[]) => {
    const masked = await FaceFinder.open(detectOptions.parse({}), { masks: [], zones: [], ...areas });
    const results: FrameFaces[] = [];
    for (const next of framesOf(images)) results.push(await masked.analyse(next));
    return results;
  };
  const left = faceAt(20);
  const right = faceAt(300);

  test('a face whose centre is in a mask is neither tracked nor cropped, and is counted', async () => {
    const results = await withAreas({ masks: [rectangle(0, 0.5)] }, Array(10).fill(left));
    expect(results.flatMap(trackIds)).toEqual([]);
    expect(results.flatMap(({ endedTracks }) => endedTracks)).toEqual([]);
    expect(results[0]!.masked).toBe(1);
  });

  test('a face outside the mask is cropped as without it', async () => {
    const scenes = Array(5).fill(right);
    const [masked, unmasked] = [
      await withAreas({ masks: [rectangle(0, 0.5)] }, scenes),
      await withAreas({}, scenes),
    ];
    expect(masked.map(trackIds)).toEqual(Array(5).fill([1]));
    expect(masked.map(({ crops }) => crops[0]!.pixels)).toEqual(
      unmasked.map(({ crops }) => crops[0]!.pixels),
    );
    expect(masked.every((result) => result.masked === undefined)).toBe(true);
  });

  test('a track that walks into a mask ends there; the face gets a new track when it comes out', async () => {
    const positions = [...Array(20).keys()].map((i) => 300 - 14 * i);
    const there = positions.map(faceAt);
    const results = await withAreas({ masks: [rectangle(0, 0.4)] }, [
      ...there,
      ...there.toReversed(),
      ...Array(15).fill(right),
    ]);
    const centres = results.flatMap(({ crops }) => crops.map(({ box }) => boxCentre(box).x / 640));
    expect(Math.min(...centres)).toBeGreaterThan(0.4);
    expect(centres.length).toBeGreaterThan(10);
    expect(results.flatMap(({ endedTracks }) => endedTracks)).toEqual([1]);
    expect(trackIds(results.at(-1)!)).toEqual([2]);
    // The track ends with the frame in which its centre enters the mask.
    const last = results.findLastIndex((result) => trackIds(result).includes(1));
    expect(results[last + 1]!.endedTracks).toEqual([1]);
    expect(results[last + 1]!.masked).toBeGreaterThanOrEqual(1);
  });

  test('a mask over the whole picture leaves nothing to scan', async () => {
    const results = await withAreas({ masks: [rectangle(0, 1)] }, Array(3).fill(left));
    expect(results.flatMap(trackIds)).toEqual([]);
    // Nothing was searched, so nothing was found.
    expect(results.map((result) => result.masked)).toEqual([undefined, undefined, undefined]);
  });

  test('zones name the face by its centre, in the order of the config', async () => {
    const zones = [
      { id: 'right', polygon: rectangle(0.5, 1) },
      { id: 'hall', polygon: rectangle(0, 1) },
      { id: 'left', polygon: rectangle(0, 0.49) },
    ];
    const of = async (image: I420Image) => (await withAreas({ zones }, [image]))[0]!.crops[0]!.zones;
    expect(await of(left)).toEqual(['hall', 'left']);
    expect(await of(right)).toEqual(['right', 'hall']);
    expect((await withAreas({}, [left]))[0]!.crops[0]!.zones).toEqual([]);
  });
});
