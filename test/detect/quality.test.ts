import { describe, expect, test } from 'vitest';
import { CROP_TEMPLATE, cropSquare } from '../../src/detect/alignment.ts';
import { squareToFrame } from '../../src/detect/geometry.ts';
import { detectOptions } from '../../src/detect/options.ts';
import { keypointPose } from '../../src/detect/pose.ts';
import { assessQuality, sharpnessOf } from '../../src/detect/quality.ts';
import { Sampler } from '../../src/detect/sampler.ts';
import type { FaceKeypoints } from '../../src/domain/face.ts';
import { ASTRONAUT_FACE, astronaut } from './pictures.ts';

/** The astronaut's crop from a picture in which her face is `faceHeight` pixels high. */
function crop(faceHeight: number): Uint8Array {
  const image = astronaut(faceHeight);
  const scale = image.width / 512;
  const point = ({ x, y }: { x: number; y: number }) => ({ x: x * scale, y: y * scale });
  const { rightEye, leftEye, nose, mouth } = ASTRONAUT_FACE;
  const ear = { x: 0, y: 0 };
  const square = cropSquare(
    {
      rightEye: point(rightEye),
      leftEye: point(leftEye),
      nose: point(nose),
      mouth: point(mouth),
      rightEar: ear,
      leftEar: ear,
    },
    CROP_TEMPLATE,
  );
  const pixels = new Uint8Array(112 * 112 * 3);
  new Sampler(true).sample(image, squareToFrame(112, square), 112, 112, pixels);
  return pixels;
}

const good = {
  pixels: crop(105),
  faceHeight: 105,
  pose: { yaw: 3, pitch: -2, roll: 10 },
  detection: 0.9,
  corrupt: false,
};
const limits = detectOptions.parse({}).reliable;

test('sharpness decreases with the source resolution of a face', () => {
  const values = [105, 60, 40, 24, 12].map((height) => sharpnessOf(crop(height)));
  expect(values).toEqual(values.toSorted((a, b) => b - a));
  expect(values[0]).toBeGreaterThan(0.5);
  // A face of the smallest reliable height must not count as blurred.
  expect(sharpnessOf(crop(32))).toBeGreaterThan(limits.minSharpness);
  expect(sharpnessOf(new Uint8Array(112 * 112 * 3).fill(90))).toBe(0);
});

describe('a face is unreliable', () => {
  const reason = (change: Partial<typeof good>) => assessQuality({ ...good, ...change }, limits).unreliable;

  test('not up to and including each limit', () => {
    expect(reason({})).toBeNull();
    expect(reason({ faceHeight: limits.minFaceHeight })).toBeNull();
    expect(reason({ pose: { yaw: -limits.maxYaw, pitch: limits.maxPitch, roll: 170 } })).toBeNull();
  });

  test('beyond each limit, with the reason; corrupt video takes precedence', () => {
    const { yaw, pitch, roll } = good.pose;
    const flat = new Uint8Array(good.pixels.length).fill(90);
    expect(reason({ faceHeight: limits.minFaceHeight - 1 })).toBe('too_small');
    expect(reason({ pose: { yaw: limits.maxYaw + 1, pitch, roll } })).toBe('too_turned');
    expect(reason({ pose: { yaw, pitch: -limits.maxPitch - 1, roll } })).toBe('too_turned');
    expect(reason({ pixels: flat })).toBe('too_blurred');
    expect(reason({ pixels: flat, corrupt: true, faceHeight: 1 })).toBe('corrupt_video');
  });
});

test('the score is 0…1 and decreases with size, frontal pose, detection score and sharpness', () => {
  const score = (change: Partial<typeof good>) => assessQuality({ ...good, ...change }, limits).score;
  const best = score({});
  expect(best).toBeGreaterThan(0.5);
  expect(best).toBeLessThanOrEqual(1);
  for (const worse of [
    { faceHeight: 40 },
    { pose: { yaw: 60, pitch: 0, roll: 0 } },
    { detection: 0.5 },
    { pixels: crop(24) },
  ])
    expect(score(worse)).toBeLessThan(0.8 * best);
});

test('the pose from keypoints has the documented signs', () => {
  const frontal: FaceKeypoints = {
    rightEye: { x: 80, y: 100 },
    leftEye: { x: 120, y: 100 },
    nose: { x: 100, y: 122 },
    mouth: { x: 100, y: 144 },
    rightEar: { x: 60, y: 105 },
    leftEar: { x: 140, y: 105 },
  };
  const { yaw, pitch, roll } = keypointPose(frontal);
  expect(Math.max(Math.abs(yaw), Math.abs(pitch), Math.abs(roll))).toBeLessThan(1);
  expect(keypointPose({ ...frontal, nose: { x: 112, y: 122 } }).yaw).toBeGreaterThan(5);
  expect(keypointPose({ ...frontal, nose: { x: 100, y: 114 } }).pitch).toBeGreaterThan(5);
  expect(keypointPose({ ...frontal, leftEye: { x: 120, y: 108 } }).roll).toBeGreaterThan(5);
});
