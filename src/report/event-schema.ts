import { z } from 'zod';
import { AU_NAMES, type AuName } from '../domain/scores.ts';
import { AustreamError } from '../errors.ts';
import type { RecordedFrame, RecordedStatus, Recording } from './recording.ts';

const auState = z.object({
  raw: z.number(),
  p: z.number(),
  active: z.boolean(),
  reliability: z.number().nullable().default(null),
});
const auStates = AU_NAMES.map((name) => [name, auState.nullable().default(null)] as const);

const frameSchema: z.ZodType<RecordedFrame> = z.object({
  cameraId: z.string().max(4_096),
  epoch: z.int(),
  trackId: z.int(),
  frame: z.int(),
  captureTime: z.int(),
  clockSource: z.string(),
  warmup: z.boolean(),
  quality: z.object({
    score: z.number(),
    unreliable: z.string().max(64).nullable(),
  }),
  model: z.object({ name: z.string(), version: z.string(), trained: z.boolean() }),
  aus: z.object(Object.fromEntries(auStates) as Record<AuName, (typeof auStates)[number][1]>),
});

const gapSchema = z.object({
  from: z.int(),
  to: z.int(),
  cause: z.string(),
  framesLost: z.number().nullable().default(null),
});
const statusSchema: z.ZodType<RecordedStatus> = z.object({
  cameraId: z.string(),
  at: z.int(),
  gap: gapSchema.nullable(),
});

/**
 * Adds an AuFrame or CameraStatus, recognised by its fields, to the recording; ignores other events.
 *
 * Files are untrusted input. Throws AustreamError ARGUMENT_INVALID, with `place`, for an event with invalid fields.
 *
 * @param place where the event was read, for the error message
 */
export function addEvent(event: unknown, place: string, recording: Recording): void {
  if (typeof event !== 'object' || event === null) return;
  // In the output of `austream score`, `source` is the file; it stands in for the camera id.
  const frame = 'source' in event ? { ...event, cameraId: String(event.source) } : event;
  if ('aus' in event && 'trackId' in event) recording.addFrame(parseEvent(frameSchema, frame, place));
  else if ('state' in event && 'gap' in event) recording.addStatus(parseEvent(statusSchema, event, place));
}

function parseEvent<T>(schema: z.ZodType<T>, event: object, place: string): T {
  const { success, data, error } = schema.safeParse(event);
  if (success) return data;
  const { path, message } = error.issues[0]!;
  throw new AustreamError('ARGUMENT_INVALID', `${place}: ${path.join('.')}: ${message}`, {
    fix: 'pass events as austream writes them',
  });
}
