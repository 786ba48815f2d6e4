import { z } from 'zod';
import { cameraId } from '../../camera/options.ts';
import { MAX_EPOCH } from '../../domain/epoch.ts';
import { AU_COUNT, AU_NAMES } from '../../domain/scores.ts';
import { parseTrackKey } from '../../domain/track-key.ts';

/** Larger values of the state topic are not parsed. A live track has about 3 kB, with the longest kernel 1 MB. */
export const MAX_STATE_BYTES = 2 * 1024 * 1024;
/** Samples of the longest smoothing kernel (511 taps), as `ScoreSmoother` bounds them. */
const MAX_SAMPLES = 4 * 511;

const count = z.number().int().nonnegative();
const frame = z.number().int().min(-1);
const epoch = count.max(MAX_EPOCH);
const interval = z.number().int().positive();
const clockSource = z.enum(['rtcp', 'arrival', 'file']);
const score = z.number().min(0).max(1);
const text = z.string().max(256);

/** (12) float32 in base64, each from 0 to 1. */
const scores = z.base64().refine((encoded) => {
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length !== 4 * AU_COUNT) return false;
  return Array.from({ length: AU_COUNT }, (_, au) => bytes.readFloatLE(4 * au)).every(
    (value) => value >= 0 && value <= 1,
  );
}, `must be ${AU_COUNT} floats from 0 to 1`);

/** Version 1 of the record began without zones. */
const zones = z.array(z.string().max(64)).max(64).default([]);

const face = z.object({
  cameraId,
  epoch,
  trackId: count,
  frame: count,
  captureTime: count,
  receivedAt: count,
  clockSource,
  clockErrorMs: z.number().nullable(),
  interval,
  box: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  quality: z.object({
    score,
    faceHeight: z.number(),
    sharpness: score,
    yaw: z.number(),
    pitch: z.number(),
    roll: z.number(),
    detection: score,
    unreliable: z.enum(['too_small', 'too_turned', 'too_blurred', 'corrupt_video']).nullable(),
  }),
  zones,
});

const model = z.object({ name: text, version: text, sha256: text, trained: z.boolean() });

const openActivation = z.object({
  first: z.object({ cameraId, epoch, trackId: count, frame: count, captureTime: count, clockSource, zones }),
  reliability: z.number().nullable(),
  last: z.object({ captureTime: count, inferredAt: count, model }),
  apex: count,
  peak: score,
  sum: z.number().nonnegative(),
  frames: count,
  announced: z.boolean(),
});

const live = z.object({
  kind: z.literal('live'),
  scored: frame,
  taps: z.array(z.tuple([count, interval, scores.nullable()])).max(MAX_SAMPLES),
  waiting: z.array(z.object({ face, warmup: z.boolean(), raw: scores.nullable() })).max(MAX_SAMPLES),
  activations: z.array(z.tuple([z.enum(AU_NAMES), openActivation])).max(AU_COUNT),
  window: z.object({ offset: count, frame: count }).nullable(),
  camera: z.boolean(),
});

/** The JSON of a state record. Whoever may write to the state topic chooses it, so nothing in it is trusted. */
export const stateSchema = z.discriminatedUnion('kind', [
  live,
  z.object({ kind: z.literal('over'), scored: frame }),
  z.object({ kind: z.literal('camera'), epoch }),
]);

/** Whether `key` is that of a camera (`camera`) or of a track. */
export function isStateKey(key: string, isCamera: boolean): boolean {
  if (isCamera) return cameraId.safeParse(key).success;
  const id = parseTrackKey(key);
  return (
    id !== null &&
    cameraId.safeParse(id.cameraId).success &&
    /^\d{1,16}\/\d{1,10}$/.test(key.slice(id.cameraId.length + 1))
  );
}
