import { describe, expect, test } from 'vitest';
import { cameraOptions } from '../../../src/camera/options.ts';
import { CROP_BYTES, type FrameFaces } from '../../../src/domain/face.ts';
import { FrameGuard } from '../../../src/ingest/host/frame-guard.ts';

const NOW = 1_700_000_000_000;
const quality = {
  score: 1,
  faceHeight: 80,
  sharpness: 1,
  yaw: 0,
  pitch: 0,
  roll: 0,
  detection: 1,
  unreliable: null,
};

function faces(tracks: readonly number[], more: Partial<FrameFaces> = {}): FrameFaces {
  const stamp = {
    cameraId: 'hall',
    epoch: NOW,
    frame: 0,
    captureTime: NOW * 1000,
    clockSource: 'arrival' as const,
    clockErrorMs: null,
    receivedAt: NOW * 1000,
    interval: 40_000,
    ...more,
  };
  const crops = tracks.map((trackId) => ({
    ...stamp,
    trackId,
    box: { x: 0, y: 0, w: 9, h: 9 },
    quality,
    zones: [],
    pixels: new Uint8Array(CROP_BYTES),
  }));
  return { ...stamp, crops, endedTracks: [], ...more };
}

function guard(url = 'rtsp://127.0.0.1/', lastEpoch = NOW - 1): FrameGuard {
  return new FrameGuard(cameraOptions.parse({ id: 'hall', url }), 2, lastEpoch);
}

describe('the guard of a camera’s frames', () => {
  test('frames in order pass, over epochs and ended tracks', () => {
    const checked = guard();
    checked.check(faces([1, 2]));
    checked.check(faces([1, 3], { frame: 1, endedTracks: [2] }));
    checked.check(faces([4, 5], { frame: 9, endedTracks: [1, 3] }));
    checked.check(faces([1, 2], { epoch: NOW + 1 }));
    // Messages and frames take different ways.
    checked.checkEpoch(NOW, 'arrival');
    checked.checkEpoch(NOW + 1, 'rtcp');
  });

  test.each<[string, (checked: FrameGuard) => void]>([
    ['a frame of another camera', (checked) => checked.check(faces([], { cameraId: 'victim' }))],
    ['the clock source file', (checked) => checked.check(faces([], { clockSource: 'file' }))],
    [
      'frame 0 after frame 0',
      (checked) => {
        checked.check(faces([]));
        checked.check(faces([]));
      },
    ],
    [`epoch 5 after epoch ${NOW - 1}`, (checked) => checked.check(faces([], { epoch: 5 }))],
    [`far above ${NOW - 1}`, (checked) => checked.check(faces([], { epoch: NOW + 2_000 }))],
    [
      'epoch 1700000000000 after epoch 1700000000000',
      (checked) => {
        checked.checkEpoch(NOW, 'arrival');
        checked.checkEpoch(NOW, 'arrival');
      },
    ],
    [
      'the zone door',
      (checked) => {
        const { crops, ...stamp } = faces([1]);
        checked.check({ ...stamp, crops: crops.map((crop) => ({ ...crop, zones: ['door'] })) });
      },
    ],
    [
      '3 open tracks',
      (checked) => {
        checked.check(faces([1, 2]));
        checked.check(faces([3], { frame: 1 }));
      },
    ],
  ])('%s is refused', (why, attack) => {
    expect(() => attack(guard())).toThrow(
      expect.objectContaining({ code: 'CAMERA_PROCESS_DIED', message: expect.stringContaining(why) }),
    );
  });

  test('a file has the clock source file and small epochs', () => {
    const checked = guard('file:///clip.mp4', 5);
    checked.check(faces([1], { clockSource: 'file', epoch: 6 }));
    expect(() => checked.check(faces([], { clockSource: 'file', epoch: NOW }))).toThrow('far above 6');
    expect(() => checked.check(faces([], { epoch: 7 }))).toThrow('clock source');
  });
});
