import type { CameraState, CameraStatus } from '../../src/domain/camera-status.ts';
import type { AuFrame, AuState } from '../../src/domain/event.ts';
import { AU_NAMES } from '../../src/domain/scores.ts';
import { eventId } from '../../src/domain/track-key.ts';

const FPS = 25;
const MODEL = { name: 'generated', version: '1', sha256: '0'.repeat(64), trained: false };

/** One generated face at one frame; each AU's score is a sine wave of its own frequency. */
export function generatedFrame(options: {
  cameraId: string;
  trackId: number;
  frame: number;
  receivedAt: number;
  epoch?: number;
  unreliable?: boolean;
}): AuFrame {
  const { cameraId, trackId, frame, receivedAt, epoch = 1, unreliable = false } = options;
  const seconds = frame / FPS;
  const state = (au: number): AuState => {
    const wave = Math.sin(seconds * (0.5 + 0.13 * au) + trackId * 1.7 + au);
    const p = Math.min(1, Math.max(0, 0.4 + 0.55 * wave));
    const noise = 0.12 * Math.sin(frame * 2.1 + au * 5);
    return { raw: Math.min(1, Math.max(0, p + noise)), p, active: p >= 0.5, reliability: null };
  };
  const column = (trackId - 1) % 8;
  const row = Math.floor((trackId - 1) / 8);
  return {
    cameraId,
    epoch,
    trackId,
    frame,
    captureTime: receivedAt,
    receivedAt,
    inferredAt: receivedAt + 400_000,
    clockSource: 'arrival',
    clockErrorMs: null,
    interval: 1e6 / FPS,
    eventId: eventId({ cameraId, epoch, trackId, frame }),
    box: { x: 40 + column * 150 + 12 * Math.sin(seconds), y: 60 + row * 170, w: 100, h: 125 },
    quality: {
      score: 0.87,
      faceHeight: 125,
      sharpness: 0.5,
      yaw: 25 * Math.sin(seconds / 2),
      pitch: 5,
      roll: 8 * Math.sin(seconds / 3),
      detection: 0.95,
      unreliable: unreliable ? 'too_turned' : null,
    },
    zones: [],
    warmup: frame < 256,
    model: MODEL,
    aus: Object.fromEntries(
      AU_NAMES.map((name, au) => [name, unreliable ? null : state(au)]),
    ) as AuFrame['aus'],
  };
}

export function generatedStatus(
  cameraId: string,
  state: CameraState,
  overrides: Partial<CameraStatus> = {},
): CameraStatus {
  return {
    cameraId,
    at: Date.now() * 1_000,
    state,
    since: Date.now() * 1_000,
    previous: null,
    cause: 'generated',
    detail: state === 'LIVE' ? 'frames arrive' : 'the camera does not answer',
    epoch: 1,
    worker: null,
    restarts: 0,
    width: 1280,
    height: 720,
    codec: 'h264',
    fps: FPS,
    analysisFps: FPS,
    clockErrorMs: null,
    driftPpm: null,
    lagMs: 400,
    drops: {},
    gap: null,
    ...overrides,
  };
}

/** Calls `sink` with frames of `faces` faces per camera, in hops of 16 at 25 frames a second. Returns the stop function. */
export function generate(
  cameraIds: readonly string[],
  faces: number,
  sink: (frames: AuFrame[]) => void,
): () => void {
  const HOP = 16;
  const start = Date.now() * 1_000;
  let hop = 0;
  const timer = setInterval(() => {
    // Paced by the clock, since timers drift.
    if (start / 1_000 + (hop * HOP * 1_000) / FPS > Date.now()) return;
    for (const cameraId of cameraIds)
      for (let trackId = 1; trackId <= faces; trackId++)
        sink(
          Array.from({ length: HOP }, (_, index) => {
            const frame = hop * HOP + index;
            const receivedAt = start + (frame * 1e6) / FPS - HOP * 40_000;
            return generatedFrame({ cameraId, trackId, frame, receivedAt });
          }),
        );
    hop += 1;
  }, 100);
  return () => clearInterval(timer);
}
