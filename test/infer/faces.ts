import {
  CROP_BYTES,
  type CropQuality,
  type FaceCrop,
  type FrameFaces,
  type UnreliableReason,
} from '../../src/domain/face.ts';

const FINE: CropQuality = {
  score: 0.9,
  faceHeight: 120,
  sharpness: 0.6,
  yaw: 0,
  pitch: 0,
  roll: 0,
  detection: 0.95,
  unreliable: null,
};

/** A made-up crop whose pixels all have the value `shade`. */
export function faceCrop(given: {
  frame: number;
  trackId?: number;
  cameraId?: string;
  epoch?: number;
  shade?: number;
  at?: number;
  interval?: number;
  live?: boolean;
  unreliable?: UnreliableReason | null;
}): FaceCrop {
  const at = given.at ?? given.frame * 40_000;
  return {
    cameraId: given.cameraId ?? 'cam',
    epoch: given.epoch ?? 0,
    trackId: given.trackId ?? 1,
    frame: given.frame,
    captureTime: at,
    receivedAt: at,
    clockSource: given.live ? 'arrival' : 'file',
    clockErrorMs: null,
    interval: given.interval ?? 40_000,
    box: { x: 10, y: 10, w: 100, h: 120 },
    quality: { ...FINE, unreliable: given.unreliable ?? null },
    pixels: new Uint8Array(CROP_BYTES).fill(given.shade ?? given.frame % 256),
  };
}

/** One frame with these crops. */
export function frameOf(crops: readonly FaceCrop[], endedTracks: readonly number[] = []): FrameFaces {
  const { trackId: _, box: _box, quality: _quality, pixels: _pixels, ...stamp } = crops[0]!;
  return { ...stamp, crops, endedTracks };
}
