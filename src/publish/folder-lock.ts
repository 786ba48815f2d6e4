import { statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { AustreamError } from '../errors.ts';

/**
 * Locks a folder for this process; throws SPOOL_UNUSABLE if another process holds the lock. Close the returned server to
 * unlock. The lock is a socket in Linux's abstract namespace, so the kernel releases it when the process ends, and no
 * stale lock file can remain. Processes in different network namespaces do not see each other's locks.
 */
export function lockFolder(dir: string): Promise<Server> {
  const { dev, ino } = statSync(dir);
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') return reject(cause);
      reject(
        new AustreamError('SPOOL_UNUSABLE', `the spool ${dir} is in use by another process`, {
          fix: 'give each austream process its own kafka.spool.dir',
          cause,
        }),
      );
    });
    server.listen(`\0austream-spool-${dev}-${ino}`, () => resolve(server.unref()));
  });
}
