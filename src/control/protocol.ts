import { z } from 'zod';
import { cameraOptions } from '../camera/options.ts';
import type { ErrorCode } from '../errors.ts';
import type { CameraChange, ListedCamera } from '../ingest/host/cameras.ts';

/**
 * One line of JSON asks, one line of JSON answers, and the connection ends. Until the answer is there, spaces say that it
 * is being worked on.
 */
export const controlRequest = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('list') }),
  z.strictObject({ op: z.literal('add'), cameras: z.array(cameraOptions).min(1) }),
  /** All of them, or none where one is unknown. */
  z.strictObject({ op: z.literal('remove'), ids: z.array(z.string()).min(1) }),
]);
export type ControlRequest = z.input<typeof controlRequest>;

export interface ControlAnswers {
  readonly list: { readonly cameras: readonly ListedCamera[] };
  readonly add: { readonly changes: Readonly<Record<string, CameraChange>> };
  readonly remove: { readonly removed: readonly string[] };
}

export type ControlReply<Op extends keyof ControlAnswers> =
  | ({ readonly ok: true } & ControlAnswers[Op])
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly fix?: string };

export const LONGEST_REQUEST = 1 << 20;
