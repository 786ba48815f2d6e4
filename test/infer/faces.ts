import {
  CROP_BYTES,
  type CropQuality,
  type FaceCrop,
  type FrameFaces,
  type UnreliableReason,
} from '../../src/domain/face.ts';

const RELIABLE: CropQuality = {
  score: 0.9,
  faceHeight: 120,
  sharpness: 0.6,
  yaw: 0,
  pitch: 0,
  roll: 0,
  detection: 0.95,
  unreliable: null,
};

/** A synthetic crop whose bytes all have the value `shade`; `at`: capture time. */
export function faceCrop(options: {
  frame: number;
  trackId?: number;
  cameraId?: string;
  epoch?: number;
  shade?: number;
  at?: number;
  interval?: number;
  live?: boolean;
  unreliable?: UnreliableReason | null;
  zones?: readonly string[];
}): FaceCrop {
  const at = options.at ?? options.frame * 40_000;
  return {
    cameraId: options.cameraId ?? 'cam',
    epoch: options.epoch ?? 0,
    trackId: options.trackId ?? 1,
    frame: options.frame,
    captureTime: at,
    receivedAt: at,
    clockSource: options.live ? 'arrival' : 'file',
    clockErrorMs: null,
    interval: options.interval ?? 40_000,
    box: { x: 10, y: 10, w: 100, h: 120 },
    quality: { ...RELIABLE, unreliable: options.unreliable ?? null },
    zones: options.zones ?? [],
    pixels: new Uint8Array(CROP_BYTES).fill(options.shade ?? options.frame % 256),
  };
}

/** One analysed frame with these crops. */
export function frameOf(crops: readonly FaceCrop[], endedTracks: readonly number[] = []): FrameFaces {
  const { trackId: _, box: _box, quality: _quality, zones: _zones, pixels: _pixels, ...stamp } = crops[0]!;
  return { ...stamp, crops, endedTracks };
}
