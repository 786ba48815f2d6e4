import { z } from 'zod';
import { AU_NAMES, type AuName } from '../domain/scores.ts';
import { AustreamError } from '../errors.ts';
import type { RecordedFrame, RecordedStatus, Recording } from './recording.ts';

const state = z.object({
  raw: z.number(),
  p: z.number(),
  active: z.boolean(),
  reliability: z.number().nullable().default(null),
});
const states = AU_NAMES.map((name) => [name, state.nullable().default(null)] as const);

const recordedFrame: z.ZodType<RecordedFrame> = z.object({
  cameraId: z.string(),
  epoch: z.int(),
  trackId: z.int(),
  frame: z.int(),
  captureTime: z.int(),
  clockSource: z.string(),
  warmup: z.boolean(),
  quality: z.object({ score: z.number(), unreliable: z.string().nullable() }),
  model: z.object({ name: z.string(), version: z.string(), trained: z.boolean() }),
  aus: z.object(Object.fromEntries(states) as Record<AuName, (typeof states)[number][1]>),
});

const gap = z.object({
  from: z.int(),
  to: z.int(),
  cause: z.string(),
  framesLost: z.number().nullable().default(null),
});
const recordedStatus: z.ZodType<RecordedStatus> = z.object({
  cameraId: z.string(),
  at: z.int(),
  gap: gap.nullable(),
});

/**
 * Frames and camera states by their shape; other events of the same files say nothing that a report needs. What a file
 * holds may be anybody's: ARGUMENT_INVALID with its `place` where an event is not as it was written.
 */
export function take(event: unknown, place: string, recording: Recording): void {
  if (typeof event !== 'object' || event === null) return;
  // What `score` writes names its file beside a camera that has no name of its own.
  const named = 'source' in event ? { ...event, cameraId: String(event.source) } : event;
  if ('aus' in event && 'trackId' in event) recording.frame(valid(recordedFrame, named, place));
  else if ('state' in event && 'gap' in event) recording.status(valid(recordedStatus, event, place));
}

function valid<T>(shape: z.ZodType<T>, event: object, place: string): T {
  const { success, data, error } = shape.safeParse(event);
  if (success) return data;
  const { path, message } = error.issues[0]!;
  throw new AustreamError('ARGUMENT_INVALID', `${place}: ${path.join('.')}: ${message}`, {
    fix: 'give the events as austream has written them',
  });
}
