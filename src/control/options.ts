import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { AustreamError } from '../errors.ts';

export const controlOptions = z.strictObject({
  /**
   * A UNIX socket through which the same user adds, removes and lists cameras while austream runs; null listens
   * nowhere. Without it: `austream.sock` in XDG_RUNTIME_DIR, or in a folder of the user's own for temporary files.
   */
  socket: z.string().min(1).max(100, 'the system takes no more than 100 characters').nullable().optional(),
});
export type ControlOptions = z.output<typeof controlOptions>;

/** Where the socket is; null where there shall be none. */
export function controlSocket(
  { socket }: ControlOptions,
  env: NodeJS.ProcessEnv = process.env,
): string | null {
  if (socket !== undefined) return socket;
  return join(env.XDG_RUNTIME_DIR || join(tmpdir(), `austream-${process.getuid!()}`), 'austream.sock');
}

/** Makes the socket's folder. Throws PREREQUISITE_MISSING where another user could get at it. */
export function prepareFolder(socket: string): void {
  const folder = dirname(socket);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Temporary folders are everybody's: another user may have made this one first.
  const { uid, mode } = lstatSync(folder);
  const own = uid === process.getuid!() || uid === 0;
  if (!own || (mode & 0o022 && !(mode & 0o1000)))
    throw new AustreamError('PREREQUISITE_MISSING', `${folder} can be changed by other users`, {
      fix: 'set control.socket to a path in a folder that only you can write to',
    });
}
