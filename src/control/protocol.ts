import { z } from 'zod';
import { cameraOptions } from '../camera/options.ts';
import type { ErrorCode } from '../errors.ts';
import type { CameraChange, ListedCamera, PauseChange } from '../ingest/host/camera-set.ts';

/** Cameras of one request. */
const MAX_CAMERAS = 10_000;

const ids = z.array(z.string().max(64)).min(1).max(MAX_CAMERAS);

/**
 * One connection carries one request and one response, each a line of JSON. Spaces before the response are
 * keep-alives.
 */
export const controlRequest = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('list') }),
  z.strictObject({ op: z.literal('add'), cameras: z.array(cameraOptions).min(1).max(MAX_CAMERAS) }),
  /** Removes all of them, or none if one is unknown. */
  z.strictObject({ op: z.literal('remove'), ids }),
  /** A link that opens the live page once, within ten minutes. */
  z.strictObject({ op: z.literal('link') }),
  /** Pauses or resumes all of them, or none if one is unknown. */
  z.strictObject({ op: z.literal('pause'), ids }),
  z.strictObject({ op: z.literal('resume'), ids }),
]);
export type ControlRequest = z.input<typeof controlRequest>;

export interface ControlResults {
  readonly list: { readonly cameras: readonly ListedCamera[] };
  readonly add: { readonly changes: Readonly<Record<string, CameraChange>> };
  readonly remove: { readonly removed: readonly string[] };
  readonly link: { readonly link: string };
  readonly pause: { readonly changes: Readonly<Record<string, PauseChange>> };
  readonly resume: { readonly changes: Readonly<Record<string, PauseChange>> };
}

export type ControlResponse<Op extends keyof ControlResults> =
  | ({ readonly ok: true } & ControlResults[Op])
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly fix?: string };

/** In characters. */
export const MAX_REQUEST_LENGTH = 1 << 20;
export const MAX_RESPONSE_LENGTH = 1 << 24;
