import { z } from 'zod';
import { AustreamError, ERROR_CODES, type ErrorCode } from '../../errors.ts';
import { CAMERA_WARNINGS, DROP_CAUSES, EPOCH_CAUSES, type ToHost } from './messages.ts';

/** A longer text is cut. */
const MAX_TEXT = 2_000;
/** Larger than any decoder's picture. */
const MAX_EDGE = 65_535;

const text = z.string().transform((value) => value.slice(0, MAX_TEXT));
const count = z.int().min(0);
const micros = z.int();
const edge = z.int().min(1).max(MAX_EDGE);
const milliseconds = z.number().nullable();

/** Unknown keys are left out. Message types that are not listed are no messages, above all the host's own events. */
const toHost = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opening') }),
  z.object({ type: z.literal('resolved'), detail: text }),
  z.object({ type: z.literal('warning'), warning: z.enum(CAMERA_WARNINGS) }),
  z.object({ type: z.literal('connected') }),
  z.object({
    type: z.literal('epoch'),
    epoch: count,
    cause: z.enum(EPOCH_CAUSES),
    width: edge,
    height: edge,
    codec: z.enum(['h264', 'h265', 'mjpeg']).nullable(),
    clockSource: z.enum(['rtcp', 'arrival', 'file']),
    clockErrorMs: milliseconds,
    captureTime: micros,
    receivedAt: micros,
  }),
  z.object({
    type: z.literal('report'),
    rss: count,
    decoded: count,
    analysed: count,
    drops: z.partialRecord(z.enum(DROP_CAUSES), count),
    clockErrorMs: milliseconds,
    driftPpm: milliseconds,
  }),
  z.object({
    type: z.literal('failed'),
    code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
    message: text,
    fix: text.optional(),
  }),
  z.object({ type: z.literal('ended') }),
]);

/**
 * Validates a message of a camera process. The host does not trust it: it parses what a camera sends, and a fault in a
 * decoder may have given it to an attacker. Throws CAMERA_PROCESS_DIED.
 */
export function parseToHost(value: unknown): ToHost {
  const parsed = toHost.safeParse(value);
  if (parsed.success) return parsed.data as ToHost;
  const [issue] = parsed.error.issues;
  throw new AustreamError(
    'CAMERA_PROCESS_DIED',
    `the camera process sent an invalid message: ${issue!.path.join('.') || 'type'}: ${issue!.message}`,
  );
}
