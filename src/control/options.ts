import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
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
/** Mode bit of folders like /tmp: only a file's owner can remove or rename it. */
const STICKY = 0o1000;

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
  if (!isTrusted(lstatSync(folder).uid) || isWritableByOthers(folder))
    throw new AustreamError('PREREQUISITE_MISSING', `${folder} can be changed by other users`, {
      fix: 'set control.socket to a path in a folder that only you can write to',
    });
}

/**
 * Throws PREREQUISITE_MISSING if another user may be listening at the socket: requests contain passwords of cameras.
 * Root may use the socket of a service that runs as another user, but only if its path was given.
 */
export function checkSocketOwner(socket: string): void {
  const listener = lstatSync(socket, { throwIfNoEntry: false });
  if (!listener) return;
  const folder = dirname(socket);
  const owner = lstatSync(folder).uid;
  const isOwn = isTrusted(owner) && isTrusted(listener.uid);
  const isService = process.getuid!() === 0 && owner === listener.uid && socket !== controlSocket({});
  if ((isOwn || isService) && !isWritableByOthers(folder)) return;
  throw new AustreamError(
    'PREREQUISITE_MISSING',
    `another user may be listening at the control socket ${socket}`,
    {
      fix: 'give the socket of your own austream with --socket or -c; its folder must be writable by its owner only',
    },
  );
}

function isTrusted(uid: number): boolean {
  return uid === process.getuid!() || uid === 0;
}

/** Whether other users can add files to the folder, or replace it or a folder above it. */
function isWritableByOthers(folder: string): boolean {
  const { mode } = lstatSync(folder);
  if (mode & 0o022 && !(mode & STICKY)) return true;
  for (let path = dirname(realpathSync(folder)); ; path = dirname(path)) {
    const { mode } = lstatSync(path);
    if (mode & 0o002 && !(mode & STICKY)) return true;
    if (path === dirname(path)) return false;
  }
}
