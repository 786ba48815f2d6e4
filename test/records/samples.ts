import fc from 'fast-check';
import type { CameraState, CameraStatus } from '../../src/domain/camera-status.ts';
import type { AuActivation, AuFrame } from '../../src/domain/event.ts';
import type { ClockSource } from '../../src/domain/frame.ts';
import { AU_NAMES } from '../../src/domain/scores.ts';
import { eventId } from '../../src/domain/track-key.ts';

const float = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value));
const score = fc.float({ min: 0, max: 1, noNaN: true }).map((value) => (value === 0 ? 0 : value));
const micros = fc.integer({ min: 0, max: 4e15 });
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const clockSource = fc.constantFrom<ClockSource>('rtcp', 'arrival', 'file');
const cameraId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const model = fc.record({
  name: fc.string({ unit: 'grapheme' }),
  version: fc.string(),
  sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
  trained: fc.boolean(),
});
const box = fc.record({ x: float, y: float, w: float, h: float });
const quality = fc.record({
  score,
  faceHeight: float,
  sharpness: score,
  yaw: float,
  pitch: float,
  roll: float,
  detection: score,
  unreliable: orNull(
    fc.constantFrom(
      'too_small' as const,
      'too_turned' as const,
      'too_blurred' as const,
      'corrupt_video' as const,
    ),
  ),
});
const zones = fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { maxLength: 3 });
const state = fc.record({ raw: score, p: score, active: fc.boolean(), reliability: orNull(score) });
const aus = fc.record(Object.fromEntries(AU_NAMES.map((name) => [name, orNull(state)]))) as fc.Arbitrary<
  AuFrame['aus']
>;

/** Any AuFrame whose numbers the schema's 32-bit floats can hold. */
export const anyFrame: fc.Arbitrary<AuFrame> = fc
  .record({
    cameraId,
    epoch: fc.integer({ min: 0, max: 4e12 }),
    trackId: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    frame: fc.integer({ min: 0, max: 2 ** 40 }),
    captureTime: micros,
    clockSource,
    clockErrorMs: orNull(float),
    receivedAt: micros,
    inferredAt: micros,
    interval: fc.constant(40_000),
    box,
    quality,
    zones,
    warmup: fc.boolean(),
    model,
    aus,
  })
  .map((frame) => ({ eventId: eventId(frame), ...frame }));

export const anyActivation: fc.Arbitrary<AuActivation> = fc.record({
  eventId: fc.string(),
  activationId: fc.string(),
  phase: fc.constantFrom('ONSET' as const, 'OFFSET' as const),
  cameraId,
  epoch: fc.integer({ min: 0, max: 4e12 }),
  trackId: fc.integer({ min: 1, max: 1e6 }),
  au: fc.constantFrom(...AU_NAMES),
  zones,
  clockSource,
  onset: micros,
  apex: micros,
  peak: score,
  mean: score,
  frames: fc.integer({ min: 1, max: 1e6 }),
  offset: orNull(micros),
  duration: micros,
  end: orNull(
    fc.constantFrom(
      'below_threshold' as const,
      'track_ended' as const,
      'gap' as const,
      'unreliable' as const,
      'epoch_ended' as const,
    ),
  ),
  reliability: orNull(score),
  inferredAt: micros,
  model,
});

const cameraState = fc.constantFrom<CameraState>(
  'CONNECTING',
  'LIVE',
  'STALLED',
  'RECONNECTING',
  'REFUSED',
  'PAUSED',
  'STOPPED',
);
export const anyStatus: fc.Arbitrary<CameraStatus> = fc.record({
  cameraId,
  at: micros,
  state: cameraState,
  since: micros,
  previous: orNull(cameraState),
  cause: fc.string(),
  detail: fc.string({ unit: 'grapheme' }),
  epoch: orNull(fc.integer({ min: 0, max: 4e12 })),
  worker: orNull(fc.string()),
  restarts: fc.nat(),
  width: orNull(fc.nat()),
  height: orNull(fc.nat()),
  codec: orNull(fc.string()),
  fps: orNull(float),
  analysisFps: orNull(float),
  lagMs: orNull(float),
  clockErrorMs: orNull(float),
  driftPpm: orNull(float),
  // A cause starts with a letter, so `__proto__` cannot occur.
  drops: fc.dictionary(fc.stringMatching(/^[a-z][a-z_]{0,11}$/), fc.nat(), { noNullPrototype: true }),
  gap: orNull(fc.record({ from: micros, to: micros, cause: fc.string(), framesLost: orNull(fc.nat()) })),
});

/** The n-th frame of a track, deterministic. */
export function frameNumber(
  frame: number,
  { cameraId = 'lobby', trackId = 1, epoch = 1_700_000_000_000 } = {},
): AuFrame {
  const captureTime = epoch * 1000 + frame * 40_000;
  const face = { cameraId, epoch, trackId, frame };
  const scores = (index: number) => Math.fround(Math.abs(Math.sin(frame / 25 + index)));
  return {
    eventId: eventId(face),
    ...face,
    captureTime,
    clockSource: 'rtcp',
    clockErrorMs: -12.5,
    receivedAt: captureTime + 30_000,
    inferredAt: captureTime + 90_000,
    interval: 40_000,
    box: { x: 100, y: 80, w: 120, h: 150 },
    quality: {
      score: 0.5,
      faceHeight: 150,
      sharpness: 0.25,
      yaw: 5,
      pitch: -3,
      roll: 1,
      detection: 0.875,
      unreliable: null,
    },
    zones: [],
    warmup: frame < 256,
    model: { name: 'edge', version: '1', sha256: 'ab'.repeat(32), trained: true },
    aus: Object.fromEntries(
      AU_NAMES.map((name, index) => [
        name,
        { raw: scores(index), p: scores(index), active: scores(index) >= 0.5, reliability: null },
      ]),
    ) as AuFrame['aus'],
  };
}

/** The frame as decoded from the topic: the schema has no field `interval`. */
export function delivered({ interval: _, ...frame }: AuFrame): Omit<AuFrame, 'interval'> {
  return frame;
}
