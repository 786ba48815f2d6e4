import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { AustreamError } from '../errors.ts';

export const controlOptions = z.strictObject({
  /**
   * UNIX socket through which the same user adds, removes and lists cameras while austream runs; null disables it.
   * Default: `austream.sock` in XDG_RUNTIME_DIR, or in a temporary folder of the user.
   */
  socket: z.string().min(1).max(100, 'must have at most 100 characters').nullable().optional(),
});
type ControlOptions = z.output<typeof controlOptions>;

/** Path of the socket; null if it is disabled. */
export function controlSocket(
  { socket }: ControlOptions,
  env: NodeJS.ProcessEnv = process.env,
): string | null {
  if (socket !== undefined) return socket;
  return join(env.XDG_RUNTIME_DIR || join(tmpdir(), `austream-${process.getuid!()}`), 'austream.sock');
}

/** Creates the socket's folder. Throws PREREQUISITE_MISSING if another user can change it. */
export function createSocketFolder(socket: string): void {
  const folder = dirname(socket);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Temporary folders are world-writable: another user may have created this one first.
  const { uid, mode } = lstatSync(folder);
  const isTrustedOwner = uid === process.getuid!() || uid === 0;
  if (!isTrustedOwner || (mode & 0o022 && !(mode & 0o1000)))
    throw new AustreamError('PREREQUISITE_MISSING', `${folder} can be changed by other users`, {
      fix: 'set control.socket to a path in a folder that only you can write to',
    });
}
